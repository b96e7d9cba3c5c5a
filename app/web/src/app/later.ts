import { type ComponentType, lazy, type LazyExoticComponent } from "react";

import { backoff, waitOrOnline } from "../api/backoff";
import { preload } from "./preload";

const RENDERING = 500; // ms that a phone needs to show the answers
const PATIENCE = 5_000; // ms; a request may never end

const firstScreen = Promise.race([preload(), sleep(PATIENCE)]).then(() => sleep(RENDERING));

/**
 * A component that is loaded after the first screen is shown, so that it does not wait: what somebody has to touch
 * something for. Loading is repeated until it succeeds, because the device may be offline.
 */
export function later<Props>(load: () => Promise<ComponentType<Props>>): LazyExoticComponent<ComponentType<Props>> {
  const loaded = firstScreen.then(() => insist(load));
  return lazy(async () => ({ default: await loaded }));
}

async function insist<Result>(load: () => Promise<Result>): Promise<Result> {
  for (let failures = 0; ; failures++) {
    try {
      return await load();
    } catch {
      await waitOrOnline(backoff(failures));
    }
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
