"use strict";

const at = (id) => document.getElementById(id);

/** Asks the device; what it refuses is shown to the person. */
async function ask(method, path, value) {
  const headers = { Authorization: `Bearer ${at("word").value}` };
  if (value !== undefined) {
    headers["Content-Type"] = "application/json";
  }
  const response = await fetch(path, { method, headers, body: value && JSON.stringify(value) });
  const answer = await response.json();
  if (!response.ok) {
    throw new Error(answer.error);
  }
  return answer;
}

function showConfig({ name, wifi, interval_s }) {
  at("name").textContent = name;
  at("device").value = name;
  at("ssid").value = wifi.ssid;
  at("port").value = wifi.port;
  at("interval").value = interval_s;
}

function showPin(row, { pin, on, level }) {
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = on;
  box.ariaLabel = `Pin ${pin}`;
  box.addEventListener("change", () =>
    tell(async () => showPin(row, await ask("POST", `api/pins/${pin}?on=${box.checked}`))),
  );
  row.replaceChildren();
  row.insertCell().textContent = pin;
  row.insertCell().append(box);
  row.insertCell().textContent = level;
}

async function show() {
  showConfig(await ask("GET", "api/config"));
  at("pins").replaceChildren();
  for (const pin of await ask("GET", "api/pins")) {
    showPin(at("pins").insertRow(), pin);
  }
}

/** Does something, and tells how it went. */
async function tell(what, done = "") {
  try {
    await what();
    at("told").textContent = done;
  } catch (error) {
    at("told").textContent = `Not done: ${error.message}`;
  }
}

at("login").addEventListener("submit", (event) => {
  event.preventDefault();
  tell(show);
});

at("settings").addEventListener("submit", (event) => {
  event.preventDefault();
  const number = (id) => Number(at(id).value);
  const config = {
    name: at("device").value,
    wifi: { ssid: at("ssid").value, port: number("port") },
    interval_s: number("interval"),
  };
  tell(async () => showConfig(await ask("PUT", "api/config", config)), "Saved.");
});
