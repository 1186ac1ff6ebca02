// Light and dark: Gradio says by a class on the body which it is, other pages by what the system prefers.

/** Keep the attribute `dark` of an element as its page is, until the function that this gives back is called. */
export function followTheme(host) {
  const prefers = matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    const told = host.closest(".dark, .light") ?? (document.querySelector("gradio-app, .gradio-container") && document.body);
    host.toggleAttribute("dark", told ? told.classList.contains("dark") : prefers.matches);
  };
  const changed = new MutationObserver(show);
  for (const root of [document.documentElement, document.body]) {
    changed.observe(root, { attributes: true, attributeFilter: ["class"] });
  }
  prefers.addEventListener("change", show);
  show();
  return () => {
    changed.disconnect();
    prefers.removeEventListener("change", show);
  };
}
