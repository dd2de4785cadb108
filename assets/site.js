// Everything here is an extra: each page is complete, and each form works, without it.

const hotkey = "/";
const editable = "input, textarea, select, [contenteditable]";

document.addEventListener("keydown", (event) => {
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  if (event.key !== hotkey || modified || event.isComposing || event.target.closest?.(editable)) return;
  const box = document.getElementById("q");
  if (!box) return;
  event.preventDefault();
  // On a phone the box may stand in a closed menu.
  const menu = box.closest(".toggled")?.previousElementSibling;
  if (menu?.matches("details")) menu.open = true;
  box.focus();
  box.select();
});

// A shared address should hold only the filters that are set.
for (const form of document.querySelectorAll("form[method=get]")) {
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) {
      if (!value.trim()) formData.delete(name);
    }
  });
}

const modes = document.querySelector(".modes");

function show(mode) {
  document.documentElement.dataset.bsTheme = mode;
  for (const button of modes.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.value === mode));
  }
  for (const meta of document.querySelectorAll("meta[data-mode]")) {
    const own = meta.dataset.mode;
    meta.media = mode === "auto" ? `(prefers-color-scheme: ${own})` : mode === own ? "all" : "not all";
  }
}

modes?.addEventListener("submit", async (event) => {
  const button = event.submitter;
  if (!button || modes.dataset.plain) return;
  event.preventDefault();
  const before = document.documentElement.dataset.bsTheme;
  show(button.value);
  try {
    const answer = await fetch(modes.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(modes, button)),
      redirect: "manual",
    });
    // The redirect back to this page has set the cookie; following it would only cost a page.
    if (answer.type !== "opaqueredirect" && !answer.ok) throw new Error(String(answer.status));
  } catch {
    show(before);
    modes.dataset.plain = "yes";
    // In a task of its own: a form ignores a request to submit while it is still firing this event.
    setTimeout(() => modes.requestSubmit(button));
  }
});
