"""Writes a C test that calls every function of phicache.h with NULL for each pointer parameter in turn.

usage: generate_null_test.py phicache.h OUTPUT.c

A parameter tagged [nullable] in its description takes NULL; any other answers ERROR_INVALID_ARGUMENT, and leaves the
call's outputs zero. The other arguments are those of null_arguments.h: a parameter for which the tables below have none
ends the generator, so that a new function cannot stay untested. Statuses of a batch are the call's, not zero, which
would read as OK.
"""
import re
import sys

# Arguments by "type name", else by type. A pair is an output: the argument, and the code that frees it after success.
ARGUMENTS = {
    'char * buffer': '(char *)out.buffer', 'uint8_t * buffer': 'out.buffer', 'int32_t * indices': 'out.indices',
    'const int32_t * indices': 'in.indices', 'const int32_t * state': 'in.state',
    'const char * url': '"redis://host"', 'const char * path': 'in.directory', 'const char *': '"name"',
    'const double *': 'in.tpm', 'const int64_t * values': 'in.integers',
    'const uint8_t * key': '(const uint8_t *)"bytes"', 'const uint8_t * value': '(const uint8_t *)"bytes"',
    'const uint64_t *': 'in.masks', 'const uint8_t * matrix': 'in.matrix',
    'const phicache_cache_options *': '&in.options', 'const phicache_fingerprint *': '&in.fingerprint',
    'const phicache_mice *': '&in.mice', 'const phicache_bytes * args': '&in.args',
    'const phicache_bytes *': '&in.record',
    'phicache_config *': 'in.config', 'phicache_key *': 'in.key', 'phicache_cache *': 'in.view',
    'phicache_dict_cache *': 'in.dict', 'phicache_redis_cache *': 'in.redis', 'phicache_disk_cache *': 'in.disk',
    'phicache_purview_cache *': 'in.purview', 'phicache_mice_cache *': 'in.mice_cache',
    'phicache_memo *': 'in.memo', 'phicache_method *': 'in.method',
    'phicache_subsystem *': 'in.subsystem', 'phicache_lease *': 'in.lease', 'phicache_walk *': 'in.walk',
    'phicache_result *': 'result', 'phicache_reader *': '&in.reader',
    'phicache_registry_item *': '&out.item', 'phicache_disk_item *': 'out.disk_items',
    'phicache_memory_limit *': 'out.limits',
    'phicache_compute compute': 'compute_empty', 'phicache_drop drop': 'drop_nothing',
    'phicache_visit visit': 'visit_nothing', 'void *': '&in',
    'phicache_bytes record': 'in.record', 'phicache_bytes': 'text("bytes")',
    'double': '50.0', 'int32_t': '0', 'int64_t': '0', 'uint64_t from': '1', 'uint64_t to': '2',
    'uint64_t nodes': '3', 'uint64_t timeout_ms': '5', 'uint64_t milliseconds': '5', 'uint64_t': '1', 'uint32_t': '0',
    'size_t capacity': '64', 'size_t len': '0', 'size_t size': '2', 'size_t nodes': '2', 'size_t': '1',
}
OUTPUTS = {
    'phicache_value *': '&out.value', 'phicache_bytes *': '&out.lent', 'phicache_info *': '&out.info',
    'phicache_stats *': '&out.stats', 'phicache_memory *': '&out.memory', 'phicache_redis_health *': '&out.health',
    'phicache_disk_health *': '&out.disk_health', 'phicache_mice *': '&out.mice',
    'phicache_entry *': '&out.entry', 'phicache_load_counts *': '&out.counts',
    'phicache_disk_item *': '&out.disk_items[0]',
    'phicache_fingerprint *': '&out.fingerprint', 'phicache_compute *': '&out.compute', 'void **': '&out.user_data',
    'const uint64_t **': '&out.purviews', 'const uint8_t **': '&out.lent.data', 'uint8_t **': '&out.room',
    'double *': '&out.real', 'size_t *': '&out.len',
    'uint64_t * out_severed': 'out.severed', 'uint64_t *': '&out.number', 'int32_t * callback_code': '&out.code',
    'phicache_status *': '&out.answered', 'int32_t *': '&out.answered',
    **{f'phicache_{noun} **': f'(phicache_{noun} **)&out.handle'
       for noun in ('config', 'key', 'cache', 'dict_cache', 'redis_cache', 'disk_cache', 'purview_cache', 'mice_cache',
                    'memo', 'method', 'subsystem', 'lease', 'walk')},
}
GROWING = {'phicache_stats *', 'phicache_memory *', 'phicache_mice *', 'phicache_redis_health *',
           'phicache_disk_health *', 'phicache_entry *', 'phicache_load_counts *', 'phicache_disk_item *'}
FUNCTIONS = ('phicache_compute', 'phicache_drop', 'phicache_visit')
SPECIAL = {('phicache_cache_redis_health', 'cache'): 'in.redis_view',
           ('phicache_cache_disk_health', 'cache'): 'in.disk_view',
           ('phicache_cache_disk_sync', 'cache'): 'in.disk_view', ('phicache_reader_init', 'reader'): '&out.reader',
           # It has no effect without a cache.
           ('phicache_memo_new', 'prefix'): 'NULL',
           ('phicache_redis_mice_cache_new', 'parent'): 'in.redis_mice',
           # The caches of one system on disk have one configuration.
           ('phicache_disk_mice_cache_new', 'config'): 'NULL', ('phicache_mice_cache_new', 'config'): 'NULL',
           ('phicache_disk_mice_cache_new', 'parent'): 'in.disk_mice',
           ('phicache_mice_cache_new', 'parent'): 'in.disk_mice',
           **{(f'phicache_{function}', 'path'): 'in.bundle'
              for function in ('cache_save', 'cache_load', 'disk_cache_open', 'bundle_describe')},
           ('phicache_mice_cache_memoize', 'compute'): 'compute_mice', ('phicache_registry_list', 'capacity'): '1'}
SIZES = {'out.severed': 'sizeof out.severed'}

FUNCTION = re.compile(r'/\*\*((?:(?!\*/).)*)\*/\s*(?:PHICACHE_MUST_USE\s+)?(phicache_status|void)\s+(phicache_\w+)\s*'
                      r'\(([^;]*)\);', re.S)


class Parameter:
    def __init__(self, text, described):
        self.type, self.name = re.fullmatch(r'(.*?)(\w+)', ' '.join(text.split())).groups()
        self.type = re.sub(r'\s*(\*+)$', r' \1', self.type.strip())
        self.nullable = re.search(rf'@param {self.name}\s+\[nullable\]', described) is not None
        self.is_pointer = self.type.endswith('*') or self.type in FUNCTIONS
        self.is_output = self.name.startswith('out') or self.name == 'callback_code'

    def argument(self, function):
        special = SPECIAL.get((function, self.name))
        table = OUTPUTS if self.is_output else ARGUMENTS
        found = special or table.get(f'{self.type} {self.name}') or table.get(self.type)
        if found is None:
            sys.exit(f'{function}: add an argument for "{self.type} {self.name}" to {sys.argv[0]}')
        return found


def call(function, parameters, null):
    """The call with NULL for one parameter; a length that follows it is 0 if NULL is allowed."""
    arguments, before = [], None
    for parameter in parameters:
        empty = before is null and null.nullable and parameter.type == 'size_t'
        argument = 'NULL' if parameter is null else '0' if empty else parameter.argument(function)
        arguments.append(argument)
        before = parameter
    return f'{function}({", ".join(arguments)})'


def undo(function, parameters, null):
    """Frees the object that a successful call has created."""
    types = {p.type for p in parameters if p is not null}
    lines = ['phicache_value_release(&out.value);'] if 'phicache_value *' in types else []
    made = [t for t in types if t.startswith('phicache_') and t.endswith('**')]
    if made and re.search(r'_(new|shared|cut|open)$', function):
        handle = made[0][:-len(' **')]
        lines.append(f'CHECK_OK({handle}_free(({handle} *)out.handle));')
    return lines


def blocks(result, function, parameters):
    for null in (p for p in parameters if p.is_pointer):
        made = call(function, parameters, null)
        if result == 'void':
            yield [f'{made};']
            continue
        names = f'"{function}", "{null.name}"'
        lines = ['prepare();', f'status = {made};']
        if null.nullable:
            yield lines + [f'check_null_taken({names}, status);'] + undo(function, parameters, null)
            continue
        lines.append(f'check_null_refused({names}, status);')
        for p in parameters:
            if p.is_output and p is not null:
                argument = p.argument(function)
                place = re.sub(r'^\(.*?\)', '', argument)
                size = SIZES.get(argument, f'sizeof *({place})')
                skip = 'sizeof(size_t)' if p.type in GROWING else '0'
                if p.type == 'phicache_status *':
                    lines.append(f'check_told({names}, "{p.name}", *{place}, status);')
                    continue
                lines.append(f'check_zero({names}, "{p.name}", {place}, {skip}, {size});')
        yield lines


def main():
    header, output = sys.argv[1:]
    functions = []
    for described, result, function, parameters in FUNCTION.findall(open(header, encoding='utf-8').read()):
        parameters = [] if parameters.strip() == 'void' else [Parameter(p, described) for p in parameters.split(',')]
        if any(p.is_pointer for p in parameters):
            functions.append((result, function, parameters))
    if len(functions) < 50:
        sys.exit(f'{header}: only {len(functions)} functions with pointers found; has its form changed?')

    inside = [f for f in functions if any(p.type == 'phicache_result *' for p in f[2])]
    text = ['/* Written by generate_null_test.py from phicache.h. */', '#include "null_arguments.h"', '']
    for result, function, parameters in functions:
        within = (result, function, parameters) in inside
        signature = ('int32_t test_{}(void *user_data, void *call_data, phicache_bytes key, phicache_result *result)'
                     if within else 'void test_{}(void)')
        text.append('static ' + signature.format(function) + ' {')
        if result != 'void':
            text.append('    phicache_status status;')
        if within:
            text.append('    (void)user_data;\n    (void)call_data;\n    (void)key;\n    (void)result;')
        for lines in blocks(result, function, parameters):
            text += ['    ' + line for line in lines]
        text += ['    return start_over(result);', '}', ''] if within else ['}', '']
    text += ['int main(void) {', '    make_arguments();']
    for entry in functions:
        function = entry[1]
        if entry in inside:
            # Each with its own key, so that the call does not find a value.
            text += [f'    CHECK_OK(phicache_dict_cache_memoize(in.dict, text("{function}"), test_{function}, NULL, '
                     'NULL, &out.value, NULL));', '    phicache_value_release(&out.value);']
        else:
            text.append(f'    test_{function}();')
    text += ['    free_arguments();', '    return check_report();', '}', '']
    with open(output, 'w', encoding='utf-8') as file:
        file.write('\n'.join(text))


if __name__ == '__main__':
    main()
