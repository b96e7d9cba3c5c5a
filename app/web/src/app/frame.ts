// What is around all screens: a step of main.ts.
export { LaterNotifications } from "./LaterNotifications";
export { Shell } from "./Shell";
