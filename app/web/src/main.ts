import "./app/firstStyles.css";
import "./app/global.css";

/**
 * Starts the application in steps: the browser paints the header of the page first, and between the steps it can react
 * to a touch. All at once would keep the processor of a phone busy for half a second. The page loads the scripts of all
 * steps at the same time: see vite.config.ts.
 */
async function start(): Promise<void> {
  await painted();
  await import("react-dom/client");
  const { preload } = await import("./app/preload");
  await pause();
  void preload();
  await import("./app/frame");
  await import("./app/start");
}

/** Resolves when the page was painted; at once in a tab in the background, which is not painted. */
async function painted(): Promise<void> {
  if (document.hidden) return;
  await new Promise(requestAnimationFrame);
  await pause();
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

void start();
