# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the load and the verification are, beside the limit and beside other ways, in one run on one machine."""
