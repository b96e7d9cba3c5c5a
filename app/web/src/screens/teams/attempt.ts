import { notifications } from "@mantine/notifications";

import { describeError } from "../../api/errors";

/** Waits for a change and returns whether it was made. If not, says why in a notification. */
export async function attempt(change: Promise<unknown>): Promise<boolean> {
  try {
    await change;
    return true;
  } catch (error) {
    const { title, text } = describeError(error);
    notifications.show({ color: "red", title, message: text });
    return false;
  }
}
