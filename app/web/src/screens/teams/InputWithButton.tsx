import { Button, Group, TextInput, type TextInputProps } from "@mantine/core";

interface InputWithButtonProps extends TextInputProps {
  /** The word on the button, which submits the form. */
  button: string;
  loading: boolean;
}

/** An input with its button beside it, or below it where there is no space. The label and the error go around both. */
export function InputWithButton({ button, loading, ...input }: InputWithButtonProps) {
  return (
    <TextInput
      maw={540}
      inputContainer={(field) => (
        <Group gap="sm">
          <div style={{ flex: "1 1 200px" }}>{field}</div>
          <Button type="submit" loading={loading}>
            {button}
          </Button>
        </Group>
      )}
      {...input}
    />
  );
}
