// Small helpers around the document; nothing is ever written as HTML text.

export const byId = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

let fading = 0;

export function say(text, wrong = false) {
  const message = byId("message");
  message.textContent = text;
  message.classList.toggle("wrong", wrong);
  message.classList.add("shown");
  clearTimeout(fading);
  fading = setTimeout(() => message.classList.remove("shown"), wrong ? 8000 : 2500);
}

export const remembered = (key, otherwise) => localStorage.getItem(key) ?? otherwise;

export function askedFor(dialog) {
  // resolves when the dialog is closed: true if its form was sent
  return new Promise((resolve) => {
    const form = dialog.querySelector("form");
    let kept = false;
    const keep = (event) => { event.preventDefault(); kept = true; dialog.close(); };
    form?.addEventListener("submit", keep);
    dialog.querySelector("[value=cancel]").onclick = () => dialog.close();
    dialog.addEventListener("close", () => {
      form?.removeEventListener("submit", keep);
      resolve(kept);
    }, { once: true });
    dialog.showModal();
  });
}
