"""Tell which system runs: nothing is changed. Outputs: hostname, os_id, os_version, os_name,
machine_id. (The boot_id is part of every answer.)"""


def release():
    lines = (read_text("/etc/os-release") or "").splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    return {key.strip(): value.strip().strip('"') for key, value in pairs}


def first_line(path):
    return (read_text(path) or "").strip()


told = release()
outputs = {
    "hostname": first_line("/etc/hostname"),
    "os_id": told.get("ID", ""),
    "os_version": told.get("VERSION_ID", ""),
    "os_name": told.get("PRETTY_NAME", ""),
    "machine_id": first_line("/etc/machine-id"),
}
is_known = bool(outputs["os_id"])
answer(outputs=outputs, done=is_known, reason="" if is_known else "/etc/os-release names no system")
