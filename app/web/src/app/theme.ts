import { createTheme, Notification, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

const teal: MantineColorsTuple = [
  "#e6f7f5",
  "#cdece8",
  "#9cd9d2",
  "#66c5ba",
  "#3db4a7",
  "#1f9c8f",
  "#0d7d72",
  "#0a6a61",
  "#06564f",
  "#03433d",
];

export const theme = createTheme({
  primaryColor: "teal",
  primaryShade: { light: 7, dark: 6 },
  colors: { teal },
  defaultRadius: "md",
  autoContrast: true,
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    Notification: Notification.extend({
      defaultProps: {
        closeButtonProps: { "aria-label": "Close" },
        styles: { description: { color: "var(--mantine-color-text)" } },
      },
    }),
  },
});

const TINTED = ["red", "orange", "green", "teal", "blue", "gray", "violet"];

/** Darker text in light, and lighter text in dark, than Mantine's: a contrast of 4.5 (WCAG AA) on every background. */
export const accessibleColors: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": "var(--mantine-color-gray-7)",
    "--mantine-color-placeholder": "var(--mantine-color-gray-7)",
    "--mantine-color-error": "var(--mantine-color-red-9)",
    ...Object.fromEntries(
      TINTED.map((color) => [`--mantine-color-${color}-light-color`, `var(--mantine-color-${color}-9)`]),
    ),
    "--mantine-color-orange-light-color": "#8a3200",
    "--mantine-color-yellow-light-color": "#7a4300",
    "--mantine-color-green-light-color": "#1e6b2e",
    "--mantine-color-red-light-color": "#a61e1e",
  },
  dark: {
    "--mantine-color-dimmed": "var(--mantine-color-dark-1)",
    "--mantine-color-placeholder": "var(--mantine-color-dark-1)",
    "--mantine-color-error": "var(--mantine-color-red-4)",
    ...Object.fromEntries(
      [...TINTED, "yellow"].map((color) => [`--mantine-color-${color}-light-color`, `var(--mantine-color-${color}-3)`]),
    ),
  },
});
