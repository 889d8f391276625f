/**
 * A table of any length of which only the rows in sight are there. Whoever listens to it is told how many
 * there are and which one this is.
 */
import type { ComponentChildren, VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

export interface VirtualListProps<T> {
  label: string;
  columns: readonly string[];
  items: readonly T[];
  keyOf(item: NoInfer<T>): string;
  /** Cells in the order of the columns. */
  cells(item: NoInfer<T>): readonly ComponentChildren[];
  /** Of the columns, as a grid has them; absent: all the same. */
  widths?: string;
  /** Instead of rows, where there are none. */
  empty: VNode;
}

/** So many are all there, each as high as it needs. */
const FEW_MAX = 40;
/** Above and below what is in sight. */
const SPARE = 6;
/** Until it is measured; a phone's rows are taller. */
const ROW_PX = 56;

export function VirtualList<T>(props: VirtualListProps<T>) {
  const { label, columns, items, keyOf, cells, widths, empty } = props;
  const frame = useRef<HTMLElement>(null);
  const body = useRef<HTMLTableSectionElement>(null);
  const [view, setView] = useState({ top: 0, height: 600, rowPx: ROW_PX });
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const look = () => {
      const row = body.current?.firstElementChild;
      const rowPx = row instanceof HTMLElement ? row.offsetHeight : ROW_PX;
      const seen = { top: element.scrollTop, height: element.clientHeight, rowPx };
      setView((before) => (isSame(before, seen) ? before : seen));
    };
    const sizes = new ResizeObserver(look);
    sizes.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    look();
    return () => {
      sizes.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, [items.length === 0]);
  if (items.length === 0) return empty;
  const isFew = items.length <= FEW_MAX;
  const inSight = { first: view.top / view.rowPx, last: (view.top + view.height) / view.rowPx };
  const first = isFew ? 0 : Math.max(0, Math.floor(inSight.first) - SPARE);
  const last = isFew ? items.length : Math.min(items.length, Math.ceil(inSight.last) + SPARE);
  return (
    <section
      class={isFew ? 'list few' : 'list'}
      ref={frame}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
      tabIndex={0}
      aria-label={label}
      style={{ '--columns': widths ?? `repeat(${columns.length}, minmax(0, 1fr))` }}
    >
      <table aria-rowcount={items.length + 1}>
        <caption class="unseen">{label}</caption>
        <thead>
          <tr class="row" aria-rowindex={1}>
            {columns.map((column) => (
              <th scope="col" key={column}>
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody
          ref={body}
          style={{
            paddingTop: `${first * view.rowPx}px`,
            paddingBottom: `${(items.length - last) * view.rowPx}px`,
          }}
        >
          {items.slice(first, last).map((item, at) => (
            <tr class="row" key={keyOf(item)} aria-rowindex={first + at + 2}>
              {cells(item).map((cell, column) => (
                <td key={columns[column]} data-column={columns[column]}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface View {
  top: number;
  height: number;
  rowPx: number;
}

function isSame(one: View, two: View): boolean {
  return one.top === two.top && one.height === two.height && one.rowPx === two.rowPx;
}
