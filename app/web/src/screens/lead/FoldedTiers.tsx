import { Button } from "@mantine/core";
import { useState } from "react";

import type { TimelineOfferFragment } from "../../gql/lead/graphql";
import { OfferTiers } from "./OfferTiers";

const AT_FIRST = 25;

/** The offers of a rollout. Of more than a screenful, the first ones until all are asked for. */
export function FoldedTiers({ offers }: { offers: TimelineOfferFragment[] }) {
  const [isOpen, setOpen] = useState(false);
  if (offers.length <= AT_FIRST) return <OfferTiers offers={offers} />;
  return (
    <>
      <OfferTiers offers={isOpen ? offers : offers.slice(0, AT_FIRST)} />
      <div>
        <Button
          size="xs"
          variant="default"
          aria-expanded={isOpen}
          onClick={() => {
            setOpen(!isOpen);
          }}
        >
          {isOpen ? "Show fewer offers" : `Show all ${String(offers.length)} offers`}
        </Button>
      </div>
    </>
  );
}
