"""What looks like a secret: the rules by which a text is refused before it is appended for ever (DESIGN §14).

The formats are the issuers' published ones, as gitleaks collects them (github.com/gitleaks/gitleaks, config/gitleaks.toml).
A rule is data, and `docs/` lists them from here. A text without any of the keywords costs microseconds: a pattern is
compiled when one of its keywords is there. All patterns run in linear time: their repeats are bounded, and they begin
at the edge of a word.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from domain.named import NamedTuple

if TYPE_CHECKING:
    import re


class Rule(NamedTuple):
    """One kind of secret.

    Looked for only where the text holds one of `keywords` and `also`. The secret is the pattern's group, else all
    that it matched; below `entropy` (bits a character) it is a placeholder. With `guessed` nothing but the words
    around it speaks for it, so that it must look drawn at random. `shape` is an example that holds no secret: `<A36>`
    stands for 36 letters and digits, see `example`.
    """

    name: str
    meaning: str
    keywords: tuple[str, ...]
    pattern: str
    shape: str
    entropy: float = 3.0
    also: str = ""
    guessed: bool = False

    @property
    def any_case(self) -> bool:
        """True if the keywords, in lower case, are looked for in any case."""
        return self.pattern.startswith("(?i)")

    @property
    def example(self) -> str:
        """A text that the rule finds, made up from `shape`. Not for a page in git: scanners would find it there."""
        import re

        return re.sub(r"<([AUhd])(\d+)>", lambda match: _made_up(match[1], int(match[2])), self.shape)


class Finding(NamedTuple):
    """Which rule found something, and where in the text. The secret itself is kept out of every message."""

    rule: str
    start: int
    end: int


_LETTERS = {
    "A": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    "U": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
    "h": "0123456789abcdef",
    "d": "0123456789",
}
_STEPS = {"A": 37, "U": 13, "h": 7, "d": 3}

_ASSIGNED = r"[a-z0-9_.-]{0,24}[\"'`]?[ \t]{0,3}(?::=|=>|={1,2}|:)[ \t]{0,3}[\"'`]?(?!sha\d)"

RULES = (
    Rule(
        "aws-access-key",
        "AWS access key id",
        ("AKIA", "ASIA", "ABIA", "ACCA", "A3T"),
        r"\b(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z2-7]{16}\b",
        "AKIA<U16>",
    ),
    Rule(
        "github-token",
        "GitHub token: personal, OAuth, app, refresh",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{36,255}",
        "ghp_<A36>",
    ),
    Rule(
        "github-fine-grained-token",
        "GitHub fine-grained personal access token",
        ("github_pat_",),
        r"(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{82}",
        "github_pat_<A22>_<A59>",
    ),
    Rule(
        "gitlab-token",
        "GitLab token: personal, deploy, trigger, runner, CI job, feed, agent, OAuth",
        ("glpat-", "gldt-", "glptt-", "glrt-", "glcbt-", "glft-", "glimt-", "glagent-", "gloas-", "glsoat-"),
        r"(?<![A-Za-z0-9])gl(?:pat|dt|ptt|rt|cbt|ft|imt|agent|oas|soat)-[A-Za-z0-9_-]{20,300}",
        "glpat-<A20>",
    ),
    Rule(
        "slack-token",
        "Slack token: bot, user, workspace, configuration",
        ("xoxa", "xoxb", "xoxe", "xoxo", "xoxp", "xoxr", "xoxs"),
        r"(?<![A-Za-z0-9])xox[abeoprs](?:\.xox[bp])?-\d{1,14}-[A-Za-z0-9-]{16,255}",
        "xoxb-<d12>-<d12>-<A24>",
    ),
    Rule(
        "slack-app-token",
        "Slack app-level token",
        ("xapp-",),
        r"(?<![A-Za-z0-9])xapp-\d-[A-Z0-9]{8,20}-\d{8,20}-[a-z0-9]{32,128}",
        "xapp-1-A<U10>-<d13>-<h64>",
    ),
    Rule(
        "slack-webhook",
        "Slack webhook URL",
        ("hooks.slack.com/",),
        r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9+/]{40,80})",
        "https://hooks.slack.com/services/T<U10>/B<U10>/<A24>",
        entropy=4.0,
    ),
    Rule(
        "discord-webhook",
        "Discord webhook URL",
        ("/api/webhooks/",),
        r"discord(?:app)?\.com/api/webhooks/\d{17,20}/([A-Za-z0-9_-]{60,80})",
        "https://discord.com/api/webhooks/<d18>/<A68>",
    ),
    Rule(
        "telegram-bot-token",
        "Telegram bot token",
        (":AA",),
        r"(?<![A-Za-z0-9])\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])",
        "<d10>:AA<A33>",
    ),
    Rule(
        "stripe-key",
        "Stripe live key, secret or restricted; a test key (`sk_test_`) moves no money and passes",
        ("sk_live_", "rk_live_", "sk_prod_", "rk_prod_"),
        r"(?<![A-Za-z0-9])[sr]k_(?:live|prod)_[A-Za-z0-9]{16,255}",
        "sk_live_<A24>",
    ),
    Rule(
        "google-api-key",
        "Google API key",
        ("AIza",),
        r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])",
        "AIza<A35>",
    ),
    Rule(
        "google-oauth-secret",
        "Google OAuth client secret",
        ("GOCSPX-",),
        r"(?<![A-Za-z0-9])GOCSPX-[A-Za-z0-9_-]{28}",
        "GOCSPX-<A28>",
    ),
    Rule(
        "anthropic-key",
        "Anthropic key: API, admin, OAuth",
        ("sk-ant-",),
        r"(?<![A-Za-z0-9_-])sk-ant-[a-z]{2,10}\d{2}-[A-Za-z0-9_-]{32,255}",
        "sk-ant-api03-<A93>AA",
    ),
    Rule(
        "openai-key",
        "OpenAI key, and those of services with keys like it (OpenRouter, DeepSeek)",
        ("sk-",),
        r"(?<![A-Za-z0-9_-])sk-(?:(?:proj|svcacct|admin|or-v1)-[A-Za-z0-9_-]{32,255}|[A-Za-z0-9]{32,255})",
        "sk-proj-<A74>T3BlbkFJ<A74>",
        entropy=3.5,
    ),
    Rule(
        "inference-key",
        "Key of Groq, Perplexity, Replicate or xAI",
        ("gsk_", "pplx-", "r8_", "xai-"),
        r"(?<![A-Za-z0-9])(?:gsk_[A-Za-z0-9]{52}|pplx-[A-Za-z0-9]{48}|r8_[A-Za-z0-9]{37}|xai-[A-Za-z0-9]{80})"
        r"(?![A-Za-z0-9])",
        "gsk_<A52>",
    ),
    Rule(
        "hugging-face-token",
        "Hugging Face token",
        ("hf_",),
        r"(?<![A-Za-z0-9_])hf_[A-Za-z0-9]{34}(?![A-Za-z0-9_])",
        "hf_<A34>",
        entropy=3.5,
    ),
    Rule(
        "npm-token",
        "npm access token",
        ("npm_",),
        r"(?<![A-Za-z0-9_])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9_])",
        "npm_<A36>",
    ),
    Rule(
        "pypi-token",
        "PyPI or TestPyPI upload token",
        ("pypi-AgE",),
        r"pypi-AgE[A-Za-z0-9_-]{50,1000}",
        "pypi-AgE" + "IcHlwaS5vcmc<A100>",
    ),
    Rule(
        "docker-token",
        "Docker Hub access token",
        ("dckr_pat_", "dckr_oat_"),
        r"dckr_[po]at_[A-Za-z0-9_-]{27,64}",
        "dckr_pat_<A27>",
    ),
    Rule(
        "sendgrid-key",
        "SendGrid API key",
        ("SG.",),
        r"(?<![A-Za-z0-9])SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}",
        "SG.<A22>.<A43>",
    ),
    Rule(
        "twilio-key",
        "Twilio API key",
        ("SK",),
        r"(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![A-Za-z0-9])",
        "SK<h32>",
    ),
    Rule(
        "shopify-token",
        "Shopify access token or shared secret",
        ("shpat_", "shpca_", "shppa_", "shpss_"),
        r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
        "shpat_<h32>",
    ),
    Rule(
        "digitalocean-token",
        "DigitalOcean token",
        ("dop_v1_", "doo_v1_", "dor_v1_"),
        r"do[opr]_v1_[a-f0-9]{64}",
        "dop_v1_<h64>",
    ),
    Rule(
        "databricks-token",
        "Databricks access token",
        ("dapi",),
        r"(?<![A-Za-z0-9])dapi[a-f0-9]{32}(?:-\d)?(?![A-Za-z0-9])",
        "dapi<h32>",
    ),
    Rule(
        "grafana-token",
        "Grafana service account token",
        ("glsa_",),
        r"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}",
        "glsa_<A32>_<h8>",
    ),
    Rule(
        "sentry-token",
        "Sentry user token",
        ("sntryu_",),
        r"sntryu_[a-f0-9]{64}",
        "sntryu_<h64>",
    ),
    Rule(
        "linear-key",
        "Linear API key",
        ("lin_api_",),
        r"lin_api_[A-Za-z0-9]{40}",
        "lin_api_<A40>",
    ),
    Rule(
        "atlassian-token",
        "Atlassian API token",
        ("ATATT3",),
        r"(?<![A-Za-z0-9])ATATT3[A-Za-z0-9_=-]{60,300}",
        "ATATT3<A186>",
    ),
    Rule(
        "vault-token",
        "HashiCorp Vault token",
        ("hvs.", "hvb."),
        r"(?<![A-Za-z0-9])hv[sb]\.[A-Za-z0-9_-]{90,300}",
        "hvs.<A95>",
    ),
    Rule(
        "azure-client-secret",
        "Azure AD client secret",
        ("Q~",),
        r"(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~-])",
        "<A3>8Q~<A34>",
    ),
    Rule(
        "azure-storage-key",
        "Azure storage account key",
        ("AccountKey=",),
        r"AccountKey=([A-Za-z0-9+/]{86}==)",
        "AccountKey=<A86>==",
    ),
    Rule(
        "age-key",
        "age secret key",
        ("AGE-SECRET-KEY-1",),
        r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
        "AGE-SECRET-KEY-1" + "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" * 2,
    ),
    Rule(
        "private-key",
        "Private key in PEM form: RSA, EC, OpenSSH, PGP; a header without a key passes",
        ("PRIVATE KEY",),
        r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr]){1,8}"
        r"(?:[A-Za-z-]{1,20}: [^\n\\]{1,100}(?:\s|\\[nr]){1,8}){0,4}([A-Za-z0-9+/]{40})",
        "-----BEGIN RSA " + "PRIVATE KEY-----\n<A64>\n",
    ),
    Rule(
        "jwt",
        "JSON web token, signed",
        ("eyJ",),
        r"(?<![A-Za-z0-9_.-])eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.([A-Za-z0-9_-]{20,1000})",
        "eyJhbGciOiJIUzI1NiJ9." + "eyJ<A40>.<A43>",
    ),
    Rule(
        "url-password",
        "Password in a URL (databases, brokers, web); one for the own machine passes",
        ("://",),
        r"(?i)(?<![a-z0-9+.-])(?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|oracle|cockroachdb"
        r"|clickhouse|https?|ftps?|sftp|ssh|smtps?|ldaps?)(?:\+[a-z0-9]{1,16})?://([^\s:@/'\"`<>${}*]{0,64}):"
        r"(?!\1@)([^\s:@/'\"`<>${}*]{6,128})@(?!localhost|127\.|0\.0\.0\.0|\[::1\]|host[:/.]|(?:[a-z0-9-]{1,63}\.){0,3}example\b)",
        "postgresql://app:<A16>@db.internal/app",
        entropy=2.0,
        also="@",
    ),
    Rule(
        "authorization-header",
        "Credentials in an HTTP header",
        ("authorization",),
        r"(?i)authorization[\"']?[ \t]{0,3}[:=][ \t]{0,3}[\"']?(?:bearer|basic|token)[ \t]{1,3}([a-z0-9+/=_.~-]{16,1000})",
        "Authorization: Bearer <A40>",
        guessed=True,
    ),
    Rule(
        "assigned-password",
        "A literal that looks drawn at random, assigned to a password",
        ("passw",),
        r"(?i)passw(?:or)?d" + _ASSIGNED + r"([^\s\"'`,;()\[\]{}<>$%*]{10,200})(?![(\[{])",
        "DB_PASSWORD=<A14>",
        guessed=True,
    ),
    Rule(
        "assigned-secret",
        "A literal that looks drawn at random, assigned to a secret, token or key",
        ("secret", "token", "api_key", "api-key", "apikey", "access_key", "accesskey", "credential"),
        r"(?i)(?:secret|token|api[_-]?key|access_?key|credential)"
        + _ASSIGNED
        + r"([^\s\"'`,;()\[\]{}<>$%*]{16,200})(?![(\[{])",
        'api_key = "<A24>"',
        guessed=True,
    ),
)

# What stands where a secret would be, in lower case; the last two are published on purpose (Azurite, jwt.io).
PLACEHOLDERS = (
    "example",
    "placeholder",
    "changeme",
    "change-me",
    "change_me",
    "password",
    "your-",
    "your_",
    "xxxx",
    "0000000000",
    "123456789",
    "abcdefgh",
    "redacted",
    "dummy",
    "insert",
    "sample",
    "not-a-real",
    "notareal",
    "...",
    "eby8vdm02xnocqfl",
    "sflkxwrjsmekkf2qt4fwpmejf36pok6yjv_adqssw5c",
)

# What people write for a password in a URL that is none.
STAND_INS = frozenset(
    {
        "changeit",
        "minioadmin",
        "mysecret",
        "passwd",
        "postgres",
        "rabbitmq",
        "secret",
        "supersecret",
        "test123",
    }
)


def find_secret(text: str) -> Finding | None:
    """The first thing in the text that looks like a secret, by the order of RULES; None if nothing does."""
    lowered = text.lower()
    for rule, any_case in _RULES:
        where = lowered if any_case else text
        for keyword in rule.keywords:
            if keyword in where and rule.also in where:
                found = _search(rule, text)
                if found:
                    return found
                break
    return None


_RULES = tuple((rule, rule.any_case) for rule in RULES)


def _search(rule: Rule, text: str) -> Finding | None:
    for match in _compiled(rule.pattern).finditer(text):
        start, end = match.span(match.lastindex or 0)
        if _is_meant(rule, text[start:end]):
            return Finding(rule.name, start, end)
    return None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    import re

    return re.compile(pattern)


def _is_meant(rule: Rule, secret: str) -> bool:
    lowered = secret.lower()
    if lowered in STAND_INS or any(word in lowered for word in PLACEHOLDERS):
        return False
    return entropy(secret) >= rule.entropy and (not rule.guessed or _is_drawn(secret))


def entropy(text: str) -> float:
    """Shannon's entropy in bits a character: 0 for `aaaa`, 4 at most for hexadecimal digits, 3 to 4 for words."""
    from math import log2

    shares = [text.count(char) / len(text) for char in set(text)]
    return -sum(share * log2(share) for share in shares)


def _is_drawn(text: str) -> bool:
    """True if some run of letters and digits in the text looks drawn at random: a name, path, date, version doesn't."""
    if "://" in text or text.startswith(("/", "./", "~/")):
        return False
    return any(_is_mixed(part) for part in "".join(char if char.isalnum() else " " for char in text).split())


def _is_mixed(run: str) -> bool:
    """True if the run changes between letters and digits 3 times, or of case and digits at every other place.

    Of 24 random letters and digits 97% do, of 32 hexadecimal digits nearly all; `getUserAccessTokenV2` does not.
    """
    digits = [char.isdigit() for char in run]
    kinds = [(char.isdigit(), char.isupper()) for char in run]
    if len(run) >= 8 and sum(one != other for one, other in pairwise(digits)) >= 3:
        return True
    return len(run) >= 12 and 2 * sum(one != other for one, other in pairwise(kinds)) >= len(run)


def _made_up(kind: str, length: int) -> str:
    letters, step = _LETTERS[kind], _STEPS[kind]
    return "".join(letters[(5 + step * place) % len(letters)] for place in range(length))
