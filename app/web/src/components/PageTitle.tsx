import { Group, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";

/** The heading of a screen, with actions beside it. Also sets the title of the browser's tab. */
export function PageTitle({ title, children }: { title: string; children?: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Lead Offers`;
  }, [title]);
  return (
    <Group justify="space-between" mb="md">
      <Title order={1} size="h2" className="any-word">
        {title}
      </Title>
      {children}
    </Group>
  );
}
