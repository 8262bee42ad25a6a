import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Address } from "../state/address";

const go = vi.fn();
const notify = vi.fn();
const history = { length: 1, back: vi.fn() };
vi.mock("../state/address", () => ({ go }));
vi.mock("../frame/notices", () => ({ notify }));
vi.stubGlobal("window", { history });
const { shift, undo, zoom } = await import("./zoom");

const address = (start: string, end: string, q = "") => ({ start, end, q, tz: "UTC" }) as Address;
const WHOLE = address("now-1h", "now");
const PART = address("2026-11-24T10:00:00Z", "2026-11-24T10:30:00Z");

const zoomed = () => {
  history.length += 1; // what going somewhere does
  zoom(WHOLE, "2026-11-24T10:00:00.000000000Z", "2026-11-24T10:30:00.000Z");
};

describe("a zoom", () => {
  beforeEach(() => {
    undo(address("", "")); // nothing of the test before
    vi.clearAllMocks();
  });

  it("is a range of instants, in no more digits than needed", () => {
    zoomed();
    expect(go).toHaveBeenCalledWith(expect.objectContaining({ start: PART.start, end: PART.end, as_of: "" }));
  });

  it("is undone by going back where it was the last step", () => {
    zoomed();
    undo(PART);
    expect(history.back).toHaveBeenCalledOnce();
  });

  it("is undone by its range alone where the query was changed since", () => {
    zoomed();
    history.length += 1;
    undo({ ...PART, q: "timeout" });
    expect(history.back).not.toHaveBeenCalled();
    expect(go).toHaveBeenLastCalledWith({ start: "now-1h", end: "now", as_of: "" });
  });

  it("is no more once another range was chosen", () => {
    zoomed();
    undo(address("now-3d", "now"));
    undo(PART);
    expect(history.back).not.toHaveBeenCalled();
    expect(notify).toHaveBeenCalledWith("No zoom to undo");
  });
});

describe("half a window", () => {
  it("is as wide as the range and keeps its nanoseconds", () => {
    const fine = address("2026-11-24T10:00:00.000000010Z", "2026-11-24T10:30:00.000000010Z");
    shift(fine, fine, -1n);
    expect(go).toHaveBeenLastCalledWith(
      expect.objectContaining({
        start: "2026-11-24T09:45:00.000000010Z",
        end: "2026-11-24T10:15:00.000000010Z",
      }),
    );
  });

  it("of an open range is that of the lines", () => {
    shift(address("", ""), { start: "2026-11-24T10:00:00Z", end: "2026-11-24T11:00:00Z" }, 1n);
    expect(go).toHaveBeenLastCalledWith(
      expect.objectContaining({ start: "2026-11-24T10:30:00Z", end: "2026-11-24T11:30:00Z" }),
    );
  });
});
