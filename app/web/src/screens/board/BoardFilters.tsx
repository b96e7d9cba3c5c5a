import { Box, Button, Group, Select, SimpleGrid, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconFilter, IconSearch } from "@tabler/icons-react";
import { useState } from "react";

import type { BoardQuery } from "../../gql/board/graphql";
import { activeFilters, type BoardView, isFiltered, SORTS } from "./boardView";
import { type LeadStatus, STATUSES } from "./leadStatus";

const AFTER_TYPING = 300; // ms

interface BoardFiltersProps {
  view: BoardView;
  data: BoardQuery | undefined;
  onChange: (change: Partial<BoardView>) => void;
}

/** The search, the filters and the order. On a phone, all but the search are behind a button. */
export function BoardFilters({ view, data, onChange }: BoardFiltersProps) {
  const [isOpen, setOpen] = useState(false);
  const count = activeFilters(view);
  return (
    <search aria-label="Leads">
      <SimpleGrid cols={{ base: 1, xs: 2, md: 3, xl: 6 }} spacing="sm" mb="sm">
        <TypedFilter
          label="Contact"
          placeholder="Name, e-mail or phone"
          value={view.search}
          onChange={(search) => {
            onChange({ search });
          }}
        />
        <Button
          hiddenFrom="xs"
          variant="default"
          leftSection={<IconFilter size={18} aria-hidden />}
          aria-expanded={isOpen}
          aria-controls="filters"
          onClick={() => {
            setOpen(!isOpen);
          }}
        >
          {count > 0 ? `Filters (${String(count)})` : "Filters"}
        </Button>
        <Box id="filters" display={{ base: isOpen ? "contents" : "none", xs: "contents" }}>
          <Select
            label="Status"
            placeholder="All"
            clearable
            clearButtonProps={{ "aria-label": "Show all statuses" }}
            data={Object.entries(STATUSES).map(([value, { label }]) => ({ value, label }))}
            value={view.status}
            onChange={(status) => {
              onChange({ status: status as LeadStatus | null });
            }}
          />
          <Select
            label="Source"
            placeholder="All"
            clearable
            searchable
            clearButtonProps={{ "aria-label": "Show all sources" }}
            nothingFoundMessage="No source has this name"
            data={optionsOf(data?.leadSources.data)}
            value={view.source}
            onChange={(source) => {
              onChange({ source });
            }}
          />
          <Select
            label="Team"
            placeholder="All"
            clearable
            searchable
            clearButtonProps={{ "aria-label": "Show all teams" }}
            nothingFoundMessage="No team has this name"
            data={optionsOf(data?.teams.data)}
            value={view.team}
            onChange={(team) => {
              onChange({ team });
            }}
          />
          <TypedFilter
            label="City"
            placeholder="Any"
            value={view.city}
            onChange={(city) => {
              onChange({ city });
            }}
          />
          <Select
            label="Order"
            allowDeselect={false}
            data={Object.entries(SORTS).map(([value, { label }]) => ({ value, label }))}
            value={view.sort}
            onChange={(sort) => {
              onChange({ sort: (sort ?? "newest") as BoardView["sort"] });
            }}
          />
        </Box>
      </SimpleGrid>
      {isFiltered(view) && (
        <Group mb="sm">
          <Button
            size="xs"
            variant="default"
            onClick={() => {
              onChange({ search: "", status: null, source: null, team: null, city: "" });
            }}
          >
            Clear the filters
          </Button>
        </Group>
      )}
    </search>
  );
}

/** Applies what is typed after a pause. Follows the address when something else changes it. */
function TypedFilter({
  label,
  placeholder,
  value,
  onChange,
}: {
  label: string;
  placeholder: string;
  value: string;
  onChange: (value: string) => void;
}) {
  const [typed, setTyped] = useState(value);
  const [known, setKnown] = useState(value);
  const apply = useDebouncedCallback((text: string) => {
    setKnown(text);
    onChange(text);
  }, AFTER_TYPING);
  if (known !== value) {
    setKnown(value);
    setTyped(value);
  }
  return (
    <TextInput
      label={label}
      placeholder={placeholder}
      maxLength={200}
      leftSection={<IconSearch size={16} aria-hidden />}
      value={typed}
      onChange={({ currentTarget }) => {
        setTyped(currentTarget.value);
        apply(currentTarget.value);
      }}
    />
  );
}

/** Mantine refuses two options with the same value, and ids are unique. Names may be the same. */
function optionsOf(rows: { id: string; name: string }[] | undefined) {
  return (rows ?? []).map(({ id, name }) => ({ value: id, label: name }));
}
