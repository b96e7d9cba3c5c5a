import { Menu } from "@mantine/core";

import type { DropdownMenuProps } from "./DropdownMenu";

interface LoadedMenuProps extends DropdownMenuProps {
  isOpen: boolean;
  onChange: (isOpen: boolean) => void;
}

/** The part of `DropdownMenu` that is loaded after the first screen. */
export function LoadedMenu({ button, items, width, children, isOpen, onChange }: LoadedMenuProps) {
  return (
    <Menu position="bottom-end" opened={isOpen} onChange={onChange} {...(width !== undefined && { width })}>
      <Menu.Target>{button}</Menu.Target>
      <Menu.Dropdown>
        {children}
        {items.map(({ label, icon, isDisabled = false, onClick }) => (
          <Menu.Item key={label} leftSection={icon} disabled={isDisabled} onClick={onClick}>
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
