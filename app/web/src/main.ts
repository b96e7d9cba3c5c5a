import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./app/global.css";

/**
 * Starts the application in steps: the browser paints the header of the page first, and can react to a touch between
 * the steps. All scripts as one step keep the processor of a phone busy for half a second. vite.config.ts makes a file
 * of each step, which the page loads at once.
 */
async function start(): Promise<void> {
  await painted();
  await import("react-dom/client");
  await import("./api/client");
  await import("./app/start");
}

/** Resolves when the page was painted; at once in a tab in the background, which is not painted. */
function painted(): Promise<void> {
  if (document.hidden) return Promise.resolve();
  return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}

void start();
