// Requests to the station. The token is kept in this tab alone and sent in a header, never in an address.

import { askedFor, byId, remembered } from "./dom.js";

let clockAhead = 0; // seconds that the station's clock is ahead of this one
let asking = null;

export const setClock = (stationNow) => { clockAhead = stationNow - Date.now() / 1000; };
export const stationNow = () => Date.now() / 1000 + clockAhead;

export function askWho() {
  asking ??= showToken().finally(() => { asking = null; });
  return asking;
}

async function showToken() {
  byId("token").value = sessionStorage.getItem("token") ?? "";
  byId("who").value = remembered("who", "");
  const kept = await askedFor(byId("token-dialog"));
  if (kept) {
    sessionStorage.setItem("token", byId("token").value.trim());
    localStorage.setItem("who", byId("who").value.trim());
  }
  return kept;
}

export async function ask(path, options = {}) {
  // the answer; a refusal throws what the station said
  const token = sessionStorage.getItem("token");
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(`api/${path}`, { ...options, headers });
  if (answer.status === 401 && await askWho()) return ask(path, options);
  if (!answer.ok) throw new Error(await reasonOf(answer));
  return answer;
}

async function reasonOf(answer) {
  const isJson = answer.headers.get("Content-Type")?.startsWith("application/json");
  return isJson ? (await answer.json()).error : `${answer.status} ${answer.statusText}`;
}

export const read = async (path) => (await ask(path)).json();

export async function command(name, fieldsNow) {
  // `fieldsNow` is called once it is known who asks
  if (!sessionStorage.getItem("token") && !await askWho()) throw new Error("not sent: no token");
  const body = {
    id: Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join(""),
    at: new Date(stationNow() * 1000).toISOString(),
    ...fieldsNow(),
  };
  const options = {
    method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" },
  };
  return (await ask(`command/${name}`, options)).json();
}
