"""What a screen reader and weak eyes need of a page."""

from __future__ import annotations

from playwright.sync_api import Page

_NAMED = {
    "button", "checkbox", "combobox", "dialog", "form", "image", "link", "meter", "navigation", "region",
    "slider", "spinbutton", "textbox",
}  # fmt: skip


def nameless(page: Page) -> list[str]:
    """What Chromium's accessibility tree has of controls and pictures without a name, by their roles."""
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")
    nodes = [node for node in tree["nodes"] if not node["ignored"]]
    found = [node for node in nodes if node["role"]["value"].lower() in _NAMED]
    assert len(found) > 5, "the tree has nothing in it"
    return [node["role"]["value"] for node in found if not node["name"]["value"].strip()]


# WCAG 1.4.3: 4.5 between a text and what is behind it, 3 for large text.
CONTRAST = """() => {
  const numbers = (colour) => colour.match(/[0-9.]+/g).map(Number);
  const linear = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const node of document.querySelectorAll("body *")) {
    const text = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!text || !node.checkVisibility({opacityProperty: true})) continue;
    if (node.closest(":disabled, .skip, .unseen")) continue;
    const style = getComputedStyle(node);
    const [a, b] = [light(numbers(style.color)), light(behind(node))].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24;
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) bad.push(`${node.className || node.tagName}: ${ratio.toFixed(2)}`);
  }
  return bad;
}"""
