import { Paper, Table, Text, Title } from "@mantine/core";
import { lazy, type ReactNode, Suspense } from "react";

import { formatDuration } from "./formatDuration";
import { hasTime } from "./withoutTimes";
import { LOCALE } from "../../time/locale";

const ClaimChart = lazy(async () => ({ default: (await import("./ClaimChart")).ClaimChart }));

export interface FigureRow {
  id: string;
  name: string;
  /** The name below the bar of the chart, where there is less space. Left out, `name`. */
  shortName?: string;
  cells: number[];
  timeToClaim: { median?: number | null; p90?: number | null; within5Minutes: number };
}

interface FiguresTableProps {
  title: string;
  nameHeader: string;
  headers: string[];
  rows: FigureRow[];
  /** What to say instead of a chart if no row has a time to claim. */
  withoutTimes: string;
  children?: ReactNode;
}

/** A chart of the median times to claim, or why there are none, and all numbers below it as a table. `children` stand above, or instead of, the rows. */
export function FiguresTable({ title, nameHeader, headers, rows, withoutTimes, children }: FiguresTableProps) {
  return (
    <Paper withBorder p="md" component="section" aria-label={title}>
      <Title order={2} size="h4" mb="sm">
        {title}
      </Title>
      {children}
      {rows.length > 0 && (
        <>
          {rows.some(hasTime) ? (
            <Suspense fallback={<div style={{ height: 220 }} />}>
              <ClaimChart
                points={rows.map(({ name, shortName = name, timeToClaim }) => ({
                  name,
                  shortName,
                  seconds: timeToClaim.median ?? null,
                }))}
              />
            </Suspense>
          ) : (
            <Text size="sm">{withoutTimes}</Text>
          )}
          <Table.ScrollContainer minWidth={560} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
            <Table mt="sm" aria-label={title}>
              <Table.Thead>
                <Table.Tr>
                  {[nameHeader, ...headers, "Median time to claim", "90% within", "Within 5 minutes"].map((header) => (
                    <Table.Th key={header} scope="col">
                      {header}
                    </Table.Th>
                  ))}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows.map(({ id, name, cells, timeToClaim }) => (
                  <Table.Tr key={id}>
                    <Table.Th scope="row" miw={120} maw={240} className="any-word">
                      <bdi>{name}</bdi>
                    </Table.Th>
                    {cells.map((cell, index) => (
                      <Table.Td key={headers[index]}>{cell.toLocaleString(LOCALE)}</Table.Td>
                    ))}
                    <Table.Td>{formatDuration(timeToClaim.median)}</Table.Td>
                    <Table.Td>{formatDuration(timeToClaim.p90)}</Table.Td>
                    <Table.Td>{timeToClaim.within5Minutes.toLocaleString(LOCALE)}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </>
      )}
    </Paper>
  );
}
