"""Accounts, roles and sessions over Redfish. A password goes in and never comes out again."""

from readystate.lab.bmc.personalities.personality import ROOT, AccountStyle
from readystate.lab.bmc.redfish_messages import Body, Refusal, not_found
from readystate.lab.bmc.redfish_service import (
    OK,
    Answer,
    Ask,
    RedfishService,
    check_writable,
    collection,
    done,
    link,
    resource,
)
from readystate.lab.bmc.redfish_sessions import ROLES, Privilege, Session, authorize
from readystate.lab.bmc.virtual_bmc import BmcUser

ACCOUNTS = f"{ROOT}/AccountService/Accounts"
ROLE_PATH = f"{ROOT}/AccountService/Roles"
SESSIONS = f"{ROOT}/SessionService/Sessions"
SLOT_COUNT = 16  #: of iDRAC 9; the first belongs to IPMI's anonymous user and stays empty
HIGHEST_ID = 15  #: IPMI user ids end here, and both protocols share the users
LONGEST_PASSWORD = 20  #: of IPMI 2.0, section 22.30
WRITABLE = frozenset({"UserName", "Password", "RoleId", "Enabled", "Locked"})


def read_account_service(service: RedfishService) -> Body:
    return resource(
        f"{ROOT}/AccountService",
        "AccountService.v1_10_0.AccountService",
        "Account Service",
        ServiceEnabled=True,
        LocalAccountAuth="Enabled",
        MinPasswordLength=service.personality.minimum_password,
        MaxPasswordLength=LONGEST_PASSWORD,
        Status=OK,
        Accounts=link(ACCOUNTS),
        Roles=link(ROLE_PATH),
    )


def read_roles(service: RedfishService) -> Body:
    del service
    return collection(ROLE_PATH, "RoleCollection", [f"{ROLE_PATH}/{role}" for role in ROLES])


def read_role(service: RedfishService, role: str) -> Body:
    del service
    if role not in ROLES:
        raise not_found()
    return resource(
        f"{ROLE_PATH}/{role}",
        "Role.v1_3_1.Role",
        f"{role} Role",
        RoleId=role,
        IsPredefined=True,
        AssignedPrivileges=sorted(privilege.value for privilege in ROLES[role]),
    )


def read_accounts(service: RedfishService) -> Body:
    if service.personality.account_style is AccountStyle.SLOTS:
        ids = [str(number) for number in range(1, SLOT_COUNT + 1)]
    else:
        ids = [str(user.id) for user in service.bmc.users]
    return collection(ACCOUNTS, "ManagerAccountCollection", [f"{ACCOUNTS}/{item}" for item in ids])


def read_account(service: RedfishService, account_id: str) -> Body:
    user = _find(service, account_id)
    if user is None and not _is_slot(service, account_id):
        raise not_found()
    role = user.role if user else "None"
    body = resource(
        f"{ACCOUNTS}/{account_id}",
        "ManagerAccount.v1_8_0.ManagerAccount",
        "User Account",
        UserName=user.name if user else "",
        Password=None,
        RoleId=role,
        Enabled=user.enabled if user else False,
        Locked=False,
        Links={},
    )
    if user:
        body["Links"]["Role"] = link(f"{ROLE_PATH}/{role}")
    return body


async def patch_account(service: RedfishService, ask: Ask, account_id: str) -> Answer:
    current = read_account(service, account_id)
    user = _find(service, account_id)
    is_own_password = user is ask.user and set(ask.body) == {"Password"}
    authorize(ask.user, Privilege.LOGIN if is_own_password else Privilege.MANAGER)
    check_writable(ask.body, WRITABLE, current)
    _check(service, ask.body, user)
    if user is None:
        return _fill_slot(service, ask.body, account_id)
    if ask.body.get("UserName") == "":
        service.bmc.users.remove(user)
        return done(service)
    user.name = ask.body.get("UserName", user.name)
    user.password = ask.body.get("Password", user.password)
    user.role = ask.body.get("RoleId", user.role)
    user.enabled = ask.body.get("Enabled", user.enabled)
    return done(service)


async def create_account(service: RedfishService, ask: Ask) -> Answer:
    check_writable(ask.body, WRITABLE, {})
    for name in ("UserName", "Password"):
        if not ask.body.get(name):
            raise Refusal(400, "PropertyMissing", (name,), f"#/{name}")
    _check(service, ask.body, None)
    taken = {user.id for user in service.bmc.users}
    free = [number for number in range(2, HIGHEST_ID + 1) if number not in taken]
    if not free:
        raise Refusal(400, "CreateLimitReachedForResource")
    user = _make(ask.body, free[0])
    service.bmc.users.append(user)
    path = f"{ACCOUNTS}/{user.id}"
    return Answer(201, read_account(service, str(user.id)), {"Location": path})


async def delete_account(service: RedfishService, ask: Ask, account_id: str) -> Answer:
    authorize(ask.user, Privilege.MANAGER)
    user = _find(service, account_id)
    if user is None:
        raise not_found()
    service.bmc.users.remove(user)
    return done(service)


def _fill_slot(service: RedfishService, body: Body, account_id: str) -> Answer:
    if account_id == "1" or int(account_id) > HIGHEST_ID:
        raise Refusal(400, "ResourceInUse")
    if not body.get("UserName") or not body.get("Password"):
        raise Refusal(400, "PropertyMissing", ("UserName",), "#/UserName")
    service.bmc.users.append(_make(body, int(account_id)))
    return done(service)


def _make(body: Body, user_id: int) -> BmcUser:
    return BmcUser(
        id=user_id,
        name=body["UserName"],
        password=body["Password"],
        role=body.get("RoleId", "ReadOnly"),
        enabled=body.get("Enabled", True),
    )


def _check(service: RedfishService, body: Body, user: BmcUser | None) -> None:
    """Judge every value before the first one is set."""
    for name in ("UserName", "Password", "RoleId"):
        if name in body and not isinstance(body[name], str):
            raise Refusal(400, "PropertyValueTypeError", ("?", name), f"#/{name}")
    if not isinstance(body.get("Enabled", True), bool):
        raise Refusal(400, "PropertyValueTypeError", (str(body["Enabled"]), "Enabled"))
    if body.get("RoleId", "ReadOnly") not in ROLES:
        raise Refusal(400, "PropertyValueNotInList", (body["RoleId"], "RoleId"), "#/RoleId")
    length = len(body.get("Password", "x" * LONGEST_PASSWORD))
    if not service.personality.minimum_password <= length <= LONGEST_PASSWORD:
        # "******": a refusal is shown and logged, so it must not repeat the password
        raise Refusal(400, "PropertyValueFormatError", ("******", "Password"), "#/Password")
    wanted = body.get("UserName")
    if wanted and any(item.name == wanted for item in service.bmc.users if item is not user):
        raise Refusal(400, "ResourceAlreadyExists", ("ManagerAccount", "UserName", wanted))


def _find(service: RedfishService, account_id: str) -> BmcUser | None:
    return next((user for user in service.bmc.users if str(user.id) == account_id), None)


def _is_slot(service: RedfishService, account_id: str) -> bool:
    return (
        service.personality.account_style is AccountStyle.SLOTS
        and account_id.isdigit()
        and 1 <= int(account_id) <= SLOT_COUNT
    )


# -- sessions ----------------------------------------------------------------------------------


def read_session_service(service: RedfishService) -> Body:
    return resource(
        f"{ROOT}/SessionService",
        "SessionService.v1_1_8.SessionService",
        "Session Service",
        ServiceEnabled=True,
        SessionTimeout=service.personality.session_timeout_s,
        Status=OK,
        Sessions=link(SESSIONS),
    )


def read_sessions(service: RedfishService) -> Body:
    members = [f"{SESSIONS}/{session.id}" for session in service.sessions.list()]
    return collection(SESSIONS, "SessionCollection", members)


def read_session(service: RedfishService, session_id: str) -> Body:
    session = service.sessions.find(session_id)
    if session is None:
        raise not_found()
    return _session(session)


def _session(session: Session) -> Body:
    return resource(
        f"{SESSIONS}/{session.id}",
        "Session.v1_3_0.Session",
        "User Session",
        UserName=session.user_name,
        Password=None,
    )


def create_session(service: RedfishService, body: Body) -> Answer:
    """Log in. The only write that needs no credentials beside its body."""
    for name in ("UserName", "Password"):
        if not isinstance(body.get(name), str):
            raise Refusal(400, "PropertyMissing", (name,), f"#/{name}")
    session = service.sessions.create(body["UserName"], body["Password"])
    headers = {"Location": f"{SESSIONS}/{session.id}", "X-Auth-Token": session.token}
    return Answer(201, _session(session), headers)


async def delete_session(service: RedfishService, ask: Ask, session_id: str) -> Answer:
    session = service.sessions.find(session_id)
    if session is None:
        raise not_found()
    if session.user_name != ask.user.name:
        authorize(ask.user, Privilege.MANAGER)
    service.sessions.delete(session)
    return done(service)
