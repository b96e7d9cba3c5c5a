import { useMutation } from "@apollo/client/react";
import {
  type Announcements,
  closestCenter,
  DndContext,
  type DragEndEvent,
  KeyboardSensor,
  PointerSensor,
  useSensor,
  useSensors,
} from "@dnd-kit/core";
import {
  arrayMove,
  SortableContext,
  sortableKeyboardCoordinates,
  useSortable,
  verticalListSortingStrategy,
} from "@dnd-kit/sortable";
import { CSS } from "@dnd-kit/utilities";
import { ActionIcon } from "@mantine/core";
import { IconGripVertical } from "@tabler/icons-react";
import type { ReactNode } from "react";

import { ChangeOptionDocument, type OptionPartsFragment, TeamNotesDocument } from "../../gql/teams/graphql";
import { attempt } from "../../api/attempt";
import { nameOf, type Person } from "./people";
import { ranksAfterMove } from "./ranks";

interface SortablePeopleProps {
  people: Person[];
  render: (person: Person, handle: ReactNode) => ReactNode;
}

/** People by rank, whose order is changed by dragging a handle, or on it by Space, arrow keys and Space. */
export function SortablePeople({ people, render }: SortablePeopleProps) {
  const sensors = useSensors(
    useSensor(PointerSensor),
    useSensor(KeyboardSensor, { coordinateGetter: sortableKeyboardCoordinates }),
  );
  const move = useMove();
  const ids = people.map(({ user }) => user.id);
  const drop = ({ active, over }: DragEndEvent) => {
    if (over && active.id !== over.id) {
      const [from, to] = [ids.indexOf(String(active.id)), ids.indexOf(String(over.id))];
      void move(arrayMove(people, from, to), to);
    }
  };
  return (
    <DndContext
      sensors={sensors}
      collisionDetection={closestCenter}
      onDragEnd={drop}
      accessibility={{ announcements: announcementsFor(people), screenReaderInstructions: INSTRUCTIONS }}
    >
      <SortableContext items={ids} strategy={verticalListSortingStrategy}>
        {people.map((person) => (
          <SortablePerson key={person.user.id} person={person} render={render} />
        ))}
      </SortableContext>
    </DndContext>
  );
}

function SortablePerson({ person, render }: { person: Person; render: SortablePeopleProps["render"] }) {
  const { attributes, listeners, setNodeRef, setActivatorNodeRef, transform, transition } = useSortable({
    id: person.user.id,
  });
  const handle = (
    <ActionIcon
      ref={setActivatorNodeRef}
      variant="default"
      size="lg"
      style={{ cursor: "grab", touchAction: "none" }}
      {...attributes}
      {...listeners}
      aria-label={`Move ${nameOf(person.user)}`}
    >
      <IconGripVertical size={18} aria-hidden />
    </ActionIcon>
  );
  return (
    <div ref={setNodeRef} style={{ transform: CSS.Translate.toString(transform), transition }}>
      {render(person, handle)}
    </div>
  );
}

/** Writes the ranks of a new order. All of them show at once; those that the server refuses go back. */
function useMove() {
  const [changeOption, { client }] = useMutation(ChangeOptionDocument);
  return async (order: Person[], to: number) => {
    const options = order.flatMap(({ option }) => (option ? [option] : []));
    const moved = order[to]?.option;
    if (!moved) return;
    const known = new Map<string, OptionPartsFragment>(options.map((option) => [option.id, option]));
    const changes = ranksAfterMove(options, moved.id).map(({ id, rank }) => {
      const option = known.get(id) ?? moved;
      return changeOption({
        variables: { id, input: { rank } },
        optimisticResponse: { updateDistributionOption: { distributionOption: { ...option, rank } } },
      });
    });
    await attempt(Promise.all(changes));
    await client.refetchQueries({ include: [TeamNotesDocument] });
  };
}

const INSTRUCTIONS = {
  draggable: "Press Space to pick the member up, the arrow keys to move them, Space to drop, and Escape to cancel.",
};

function announcementsFor(people: Person[]): Announcements {
  const nameFor = (id: string | number) => {
    const person = people.find(({ user }) => user.id === id);
    return person ? nameOf(person.user) : "";
  };
  const placeOf = (id: string | number) => String(people.findIndex(({ user }) => user.id === id) + 1);
  return {
    onDragStart: ({ active }) => `${nameFor(active.id)} is picked up.`,
    onDragOver: ({ active, over }) => (over ? `${nameFor(active.id)} is at place ${placeOf(over.id)}.` : undefined),
    onDragEnd: ({ active, over }) =>
      over ? `${nameFor(active.id)} is dropped at place ${placeOf(over.id)}.` : undefined,
    onDragCancel: ({ active }) => `${nameFor(active.id)} is back at their place.`,
  };
}
