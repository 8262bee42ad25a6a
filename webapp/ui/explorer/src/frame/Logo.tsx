export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 18 18" aria-hidden="true">
      <rect width="18" height="18" rx="4" fill="currentColor" />
      <path d="M4 5h10M4 9h6M4 13h8" stroke="var(--panel)" strokeWidth="2" strokeLinecap="round" />
    </svg>
  );
}
