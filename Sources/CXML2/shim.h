// SPDX-License-Identifier: LGPL-2.1-or-later
// What XML uses of libxml2. Everything needed is importable as it is.
#pragma once
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/SAX2.h>
#include <libxml/xmlerror.h>
