import "@mantine/charts/styles.css";

import { BarChart } from "@mantine/charts";

import { formatDuration } from "./formatDuration";

const NAME_LENGTH = 14; // letters below a bar

export interface Point {
  name: string;
  shortName: string;
  seconds: number | null;
}

/** Bars of the median time to claim. Hidden from screen readers, which read the table below it. */
export function ClaimChart({ points }: { points: Point[] }) {
  return (
    <div aria-hidden dir="ltr">
      <BarChart
        h={220}
        data={points.map((point, index) => ({ ...point, index }))}
        dataKey="index"
        series={[{ name: "seconds", label: "Median time to claim", color: "teal.6" }]}
        valueFormatter={formatDuration}
        maxBarWidth={64}
        barChartProps={{ accessibilityLayer: false }}
        barProps={{ isAnimationActive: false }}
        xAxisProps={{ tickFormatter: (index: number) => shorten(points[index]?.shortName ?? "") }}
        yAxisProps={{ width: 72 }}
        tooltipProps={{ labelFormatter: (index: number) => points[index]?.name }}
      />
    </div>
  );
}

/** The begin of a name, whole letters and whole emoji. */
function shorten(name: string): string {
  const letters = [...new Intl.Segmenter().segment(name)].map(({ segment }) => segment);
  return letters.length > NAME_LENGTH
    ? `${letters
        .slice(0, NAME_LENGTH - 1)
        .join("")
        .trimEnd()}…`
    : name;
}
