import { Button } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useState } from "react";

import { Dialog } from "../../components/Dialog";
import type { BoardQuery } from "../../gql/board/graphql";
import { NewLeadForm } from "./NewLeadForm";

/** A button that opens the form for an enquiry. */
export function NewLead({ data, viewerId }: { data: BoardQuery; viewerId: string }) {
  const [isOpen, setOpen] = useState(false);
  const close = () => {
    setOpen(false);
  };
  return (
    <>
      <Button
        leftSection={<IconPlus size={18} aria-hidden />}
        onClick={() => {
          setOpen(true);
        }}
      >
        New lead
      </Button>
      <Dialog opened={isOpen} title="New lead" onClose={close} closeOnClickOutside={false}>
        <NewLeadForm
          teams={data.teams.data.filter(({ creator }) => creator.id === viewerId)}
          sources={data.leadSources.data}
        />
      </Dialog>
    </>
  );
}
