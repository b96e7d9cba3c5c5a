import { ActionIcon, type MantineColorScheme, useMantineColorScheme } from "@mantine/core";
import { IconBrightness, IconMoon, IconSun } from "@tabler/icons-react";

const NEXT = {
  auto: { scheme: "light", label: "Colors: same as the device", icon: IconBrightness },
  light: { scheme: "dark", label: "Colors: light", icon: IconSun },
  dark: { scheme: "auto", label: "Colors: dark", icon: IconMoon },
} as const satisfies Record<MantineColorScheme, unknown>;

/** Switches between the colors of the device, light and dark. The browser remembers the choice. */
export function ColorSchemeToggle() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { scheme, label, icon: Icon } = NEXT[colorScheme];
  return (
    <ActionIcon
      variant="default"
      size="lg"
      aria-label={label}
      title={label}
      onClick={() => {
        setColorScheme(scheme);
      }}
    >
      <Icon size={18} aria-hidden />
    </ActionIcon>
  );
}
