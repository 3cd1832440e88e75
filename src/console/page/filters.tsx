import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";

/** A group of filters that count at once. */
export function Filters({ label, children }: { label: string; children: ComponentChildren }): JSX.Element {
  return (
    <fieldset class="filters">
      <legend>{label}</legend>
      {children}
    </fieldset>
  );
}

/** What a field of a form is. */
export interface FieldProps {
  readonly name: string;
  readonly label: string;
  readonly value: string;
  readonly type?: "text" | "datetime-local";
  readonly required?: boolean;
  readonly list?: readonly string[];
  readonly onInput?: (value: string) => void;
}

/** The fields of a time range. */
export const timeFields: readonly Omit<FieldProps, "value" | "onInput">[] = [
  { name: "since", label: "Since (UTC)", type: "datetime-local" },
  { name: "until", label: "Until (UTC)", type: "datetime-local" },
];

/** One field with its label. */
export function Field(props: FieldProps): JSX.Element {
  const { name, label, value, type = "text", required = false, list, onInput } = props;
  const id = `field-${name}`;
  return (
    <label class="field" for={id}>
      {label}
      <input
        id={id}
        name={name}
        type={type}
        value={value}
        required={required}
        autocomplete="off"
        spellcheck={false}
        maxLength={4_096}
        {...(list && { list: `${id}-list` })}
        onInput={({ currentTarget }) => onInput?.(currentTarget.value)}
      />
      {list && (
        <datalist id={`${id}-list`}>
          {list.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
    </label>
  );
}

/** A form whose values go into the address when it is sent. */
export function QueryForm({
  label,
  fields,
  query,
  onSend,
  children,
}: {
  label: string;
  fields: readonly Omit<FieldProps, "value" | "onInput">[];
  query: URLSearchParams;
  onSend: (values: Readonly<Record<string, string>>) => void;
  children?: ComponentChildren;
}): JSX.Element {
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const textOf = (name: string): string => values[name] ?? query.get(name) ?? "";
  return (
    <form
      class="filters"
      aria-label={label}
      onSubmit={(event) => {
        event.preventDefault();
        onSend(Object.fromEntries(fields.map(({ name }) => [name, textOf(name).trim()])));
        setValues({});
      }}
    >
      {fields.map((field) => (
        <Field
          key={field.name}
          {...field}
          value={textOf(field.name)}
          onInput={(value) => setValues({ ...values, [field.name]: value })}
        />
      ))}
      {children}
      <button type="submit">Show</button>
    </form>
  );
}
