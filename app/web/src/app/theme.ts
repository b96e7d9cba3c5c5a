import { createTheme, type MantineColorsTuple } from "@mantine/core";

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
});
