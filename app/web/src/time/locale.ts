const device = new Intl.DateTimeFormat().resolvedOptions().locale;

/** The language of times and numbers: English, as the text around them is, in the form that the device uses. */
export const LOCALE = device.startsWith("en") ? device : "en-US";
