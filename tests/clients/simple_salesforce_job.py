"""A job under `sfvault exec`: simple-salesforce as people install it, with the session from the environment.

HTTPS_PROXY and REQUESTS_CA_BUNDLE lead the client to the simulator. Prints how many accounts it read.
"""

import os
import sys

from simple_salesforce import Salesforce

sf = Salesforce(
    session_id=os.environ["SF_SESSION_ID"],
    instance_url=os.environ["SF_INSTANCE_URL"],
    version=os.environ["SF_API_VERSION"],
)
names = [record["Name"] for record in sf.query_all("SELECT Id, Name FROM Account")["records"]]
if "株式会社サンプル" not in names:
    sys.exit(f"unexpected accounts: {names}")
print(len(names))
