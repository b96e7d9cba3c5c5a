import { notifications } from "@mantine/notifications";

import { describeError } from "./errors";

/** Waits for a change and returns whether it was made. If not, says why in a notification, in the words of `describe`. */
export async function attempt(
  change: Promise<unknown>,
  describe: (error: unknown) => { title: string; text: string } = describeError,
): Promise<boolean> {
  try {
    await change;
    return true;
  } catch (error) {
    const { title, text } = describe(error);
    notifications.show({ color: "red", title, message: text });
    return false;
  }
}
