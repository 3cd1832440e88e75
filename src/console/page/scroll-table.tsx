import type { ComponentChildren, JSX } from "preact";

/** A table that is moved sideways if it is too wide. With `isByTime`, its first column is a time, by which its rows are sorted. */
export function ScrollTable({
  label,
  columns,
  isByTime = false,
  children,
}: {
  label: string;
  columns: readonly string[];
  isByTime?: boolean;
  children: ComponentChildren;
}): JSX.Element {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard moves only what it can reach
    <section class="scroll" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map((name, index) => (
              <th key={name} scope="col" {...(isByTime && index === 0 && { "aria-sort": "descending" })}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}
