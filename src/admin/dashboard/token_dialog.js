// Asks for the token of admin.token_file. It stays in this tab.
import { element } from "./dom.js";

let open = null; // one dialog for all requests that want it

export function askForToken(wasWrong) {
  open ??= ask(wasWrong).finally(() => { open = null; });
  return open;
}

function ask(wasWrong) {
  return new Promise((resolve) => {
    const input = element("input", { type: "password", id: "token", required: true,
                                     autocomplete: "off", autofocus: true });
    const dialog = element("dialog", { id: "token-dialog", "aria-labelledby": "token-title" },
      element("form", { class: "stacked", method: "dialog" },
        element("h2", { id: "token-title" }, "A token is wanted"),
        element("p", {}, wasWrong ? "The server didn't take that one."
                                  : "It stands in the file that admin.token_file names."),
        element("label", {}, "Token", input),
        element("div", { class: "actions" }, element("button", {}, "Go on"))));
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(input.value.trim());
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
