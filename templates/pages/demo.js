// Live updates of the demo's page. Without this script the page works too: reload it to see what is new.
"use strict";

const EVERY = 700;
let version = "";

function fitFrames() {
  for (const frame of document.querySelectorAll("iframe")) {
    const body = frame.contentDocument && frame.contentDocument.body;
    if (body && frame.offsetParent && body.offsetHeight > 50 && !frame.dataset.fitted) {
      frame.style.height = `${Math.min(body.offsetHeight + 2, 4000)}px`;
      frame.dataset.fitted = "yes";
    }
  }
}

function watchFrames() {
  for (const frame of document.querySelectorAll("iframe")) frame.addEventListener("load", fitFrames);
  for (const mail of document.querySelectorAll(".mail")) mail.addEventListener("toggle", () => requestAnimationFrame(fitFrames));
}

// Takes over the children that are new, so that what somebody reads or types stays as it is.
function takeOver(id, fresh) {
  const now = document.getElementById(id), next = fresh.getElementById(id);
  for (const child of [...now.children]) if (!fresh.getElementById(child.id)) child.remove();
  let place = now.firstElementChild, changed = false;
  for (const child of [...next.children]) {
    const known = document.getElementById(child.id);
    if (known) { place = known.nextElementSibling; continue; }
    now.insertBefore(document.adoptNode(child), place);
    changed = true;
  }
  return changed;
}

function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const list = document.getElementById("sms");
  if (takeOver("sms", fresh)) list.scrollTop = list.scrollHeight;
  const open = document.querySelector("#mails > .mail[open]");
  if (takeOver("mails", fresh) && open && !open.querySelector("textarea:focus")) open.open = false;
  const phones = document.getElementById("phone"), chosen = phones.value;
  phones.replaceChildren(...fresh.getElementById("phone").children);
  phones.value = chosen;
  watchFrames();
}

async function look() {
  const live = document.getElementById("live");
  try {
    const answer = await fetch("/", { headers: version ? { "If-None-Match": version } : {}, cache: "no-store" });
    if (answer.status === 200) {
      version = answer.headers.get("ETag") || "";
      show(await answer.text());
    }
    live.hidden = true;
  } catch {
    live.textContent = "The demo has ended.";
    live.hidden = false;
  }
}

async function send(event) {
  event.preventDefault();
  const form = event.target, button = form.querySelector("button"), said = form.querySelector("output");
  button.disabled = true;
  said.textContent = "";
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    if (answer.ok) form.querySelector("textarea").value = "";
    else said.textContent = await answer.text();
    await look();
  } catch {
    said.textContent = "The demo has ended.";
  }
  button.disabled = false;
}

function addCopyButtons() {
  if (!navigator.clipboard) return;
  for (const command of document.querySelectorAll(".command")) {
    const button = document.createElement("button");
    button.className = "copy";
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(command.textContent);
      button.textContent = "Copied";
    });
    command.after(button);
  }
}

async function keepLooking() {
  if (!document.hidden) await look();
  setTimeout(keepLooking, EVERY);
}

document.addEventListener("submit", send);
addCopyButtons();
watchFrames();
fitFrames();
document.getElementById("sms").scrollTop = 1e6;
keepLooking();
