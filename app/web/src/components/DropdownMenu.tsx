import { cloneElement, type ReactElement, type ReactNode, Suspense, useState } from "react";

import { later } from "../app/later";

const LoadedMenu = later(async () => (await import("./LoadedMenu")).LoadedMenu);

export interface DropdownMenuProps {
  button: ReactElement<{ "aria-haspopup"?: "menu"; onClick?: () => void }>;
  items: { label: string; icon?: ReactNode; isDisabled?: boolean; onClick: () => void }[];
  /** In pixels; without it, as wide as its items. */
  width?: number;
  /** What stands above the items. */
  children?: ReactNode;
}

/** A button that opens a menu below it. The menu is loaded after the first screen; the button is there at once. */
export function DropdownMenu(props: DropdownMenuProps) {
  const [isOpen, setOpen] = useState(false);
  const buttonAlone = cloneElement(props.button, {
    "aria-haspopup": "menu",
    onClick: () => {
      setOpen(true);
    },
  });
  return (
    <Suspense fallback={buttonAlone}>
      <LoadedMenu {...props} isOpen={isOpen} onChange={setOpen} />
    </Suspense>
  );
}
