import type { JSX } from "preact";
import type { Shown } from "../messages.js";

/** What would be drawn elsewhere than it stands, or not at all: control characters, marks of direction, line separators. */
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
/** Marks that are piled over what stands before them would cover other lines. */
const piled = /(?<=\p{M}{2})\p{M}+/gu;
const maxCharacters = 256;

/** Makes a text that is drawn in its place. What is invisible is shown by its code. */
export function visible(text: string): string {
  const cut = text.length > maxCharacters ? `${text.slice(0, maxCharacters)}…` : text;
  return cut
    .replace(piled, "")
    .replace(invisible, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** A text that came from the wire. Its direction is its own. */
export function Text({ value, kind = "" }: { value: string; kind?: string }): JSX.Element {
  return <bdi class={`text ${kind}`}>{visible(value)}</bdi>;
}

/** A value that may be masked. */
export function Value({ shown }: { shown: Shown }): JSX.Element {
  return <Text value={shown.text} kind={shown.masked ? "masked" : ""} />;
}
