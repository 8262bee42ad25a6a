import { useNotice } from "./notices";

export function Notice() {
  const text = useNotice();
  return (
    <div className={text ? "notice notice-shown" : "notice"} role="status">
      {text}
    </div>
  );
}
