# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways of bringing the same file into the same schema. What is Python is run as a process of its own (see C(task))."""
