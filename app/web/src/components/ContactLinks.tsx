import { Anchor, Group } from "@mantine/core";
import { IconMail, IconPhone } from "@tabler/icons-react";

/** Links that call, and write to, a contact. Shows nothing for what is unknown. */
export function ContactLinks({ phone, email }: { phone: string | null | undefined; email: string | null | undefined }) {
  if (!phone && !email) return null; // no empty line
  return (
    <Group gap="md">
      {phone && (
        <Anchor href={`tel:${encodeURI(phone)}`} className="any-word">
          <IconPhone size={16} aria-hidden /> {phone}
        </Anchor>
      )}
      {email && (
        <Anchor href={`mailto:${encodeURIComponent(email)}`} className="any-word">
          <IconMail size={16} aria-hidden /> {email}
        </Anchor>
      )}
    </Group>
  );
}
