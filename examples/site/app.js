"use strict";

const FILES = ["", "style.css", "app.js", "docs/", "not-there.txt"];

/** One row of the table: what the server says of a file. */
async function row(path) {
  const response = await fetch(path, { cache: "no-store" });
  const body = await response.arrayBuffer();
  const cells = [
    path === "" ? "/" : path,
    `${response.status} ${response.statusText}`,
    response.headers.get("Content-Type") ?? "",
    response.headers.get("Content-Encoding") ?? "as it is",
    `${response.headers.get("Content-Length") ?? "?"} of ${body.byteLength}`,
    response.headers.get("ETag") ?? "",
  ];
  const row = document.createElement("tr");
  for (const text of cells) {
    row.insertCell().textContent = text;
  }
  return row;
}

async function show() {
  const rows = await Promise.all(FILES.map(row));
  document.getElementById("files").replaceChildren(...rows);
}

show().catch((error) => {
  document.getElementById("files").textContent = `The server cannot be reached: ${error.message}`;
});
