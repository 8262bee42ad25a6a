"""What `manage.py spill` says, in lines."""

from webapp.pipeline.saying import age, counted, number, size
from workers.draining import Drained
from workers.salvage import Saved
from workers.verifying import MEANING, Checked, Unreadable, Verdict
from workers.volumes import File, Volume


def listed(found: list[Volume]) -> list[str]:
    return [line for volume in found for line in of_volume(volume)] or [
        "No worker has a spill directory here."
    ]


def of_volume(volume: Volume) -> list[str]:
    state = "its worker is running and stores them" if volume.running else "ORPHANED: nobody stores them"
    rows, held = sum(one.rows for one in volume.waiting), sum(one.size for one in volume.waiting)
    head = f"{volume.directory}  {counted(len(volume.waiting), 'file')} waiting"
    if volume.waiting:
        ages = [one.age_seconds for one in volume.waiting if one.age_seconds is not None]
        oldest = f", oldest {age(round(1000 * max(ages)))}" if ages else ""
        head += f", {size(held)}, {number(rows)} lines{oldest}; {state}"
    elif not volume.running:
        head += "; its worker is not running"
    return [head, *(f"  {of_file(one)}" for one in volume.files)]


def of_file(file: File) -> str:
    told = (
        f"{file.path.name}  {size(file.size)}, {counted(file.batches, 'batch')}, {counted(file.rows, 'line')}"
    )
    if file.kind == "unfinished":
        return f"{told}; never finished: its batches are still in the broker"
    return f"{told}; SET ASIDE, {file.reason}" if file.reason else told


def verified(verdict: Verdict) -> list[str]:
    lines = [f"{counted(len(verdict.files), 'file')} read, {number(len(verdict.damaged))} damaged."]
    for file in verdict.damaged:
        lines += of_damage(file)
    if verdict.astray:
        lines.append(
            f"The broker counts on spill files for {counted(len(verdict.astray), 'batch')} that are in none "
            "of these files: on another worker's volume, or lost."
        )
        lines += [f"  {of_batch(one)}" for one in verdict.astray[:20]]
    return lines + [f"Not asked: {reason}" for reason in verdict.silent]


def of_damage(file: Checked) -> list[str]:
    lines = [f"{file.path}  {file.damage}; {counted(file.readable, 'batch')} can be read"]
    lines += [f"  cannot be read: {of_batch(one)}" for one in file.unreadable]
    if file.cut_off is None:
        lines.append("  how many more it held cannot be told")
    elif file.cut_off:
        lines.append(f"  and {counted(file.cut_off, 'record')} that cannot be found in it")
    return lines


def of_batch(one: Unreadable) -> str:
    return f"{one.batch}, {counted(one.rows, 'line')}: {MEANING[one.fate]}"


def drained(one: Drained) -> list[str]:
    lines = [f"{path}: stored" for path in one.stored]
    match one.outcome:
        case "running":
            lines.append(f"{one.directory}: its worker is running and stores its files")
        case "away":
            lines.append(f"NOT FINISHED, nothing is lost, try again: {one.problem}")
        case "aside":
            lines.append(f"{one.directory}: {counted(len(one.aside), 'file')} set aside, a person is needed:")
            lines += [f"  {path}" for path in one.aside]
        case "drained":
            lines.append(f"{one.directory}: empty")
    return lines


def replayed(one: Saved) -> list[str]:
    outcomes = ", ".join(f"{count} {state}" for state, count in sorted(one.outcomes.items())) or "none"
    lines = [f"{one.path}: {counted(one.batches, 'batch')} read ({outcomes}), {counted(one.rows, 'line')}"]
    if one.damage:
        lines.append(f"  {one.damage}; {counted(one.unreadable, 'record')} found that cannot be read")
    if one.put_away:
        lines.append(f"  {counted(one.put_away, 'batch')} put into quarantine as damaged")
    kept = "kept: part of it cannot be read. To delete it all the same: --discard"
    lines.append(f"  the file is {kept if one.file == 'kept' else 'removed'}")
    return lines
