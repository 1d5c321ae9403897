"""PyPhi's networks and settings that are computed both ways. Each function returns what must agree to the last bit."""

WORKLOADS = {}  # name: (settings, function)


def workload(name, **settings):
    def add(function):
        WORKLOADS[name] = settings, function
        return function
    return add


def of_system(analysis):
    """Big φ of an analysis and all that its concepts consist of, with and without the cut."""
    return [analysis.phi, str(analysis.cut), of_concepts(analysis.ces), of_concepts(analysis.partitioned_ces)]


def of_concepts(concepts):
    return [[concept.mechanism, *map(of_mice, (concept.cause, concept.effect))] for concept in concepts]


def of_mice(mice):
    repertoires = [[] if found is None else found.ravel().tolist()
                   for found in (mice.repertoire, mice.partitioned_repertoire)]
    return [mice.phi, mice.purview, *repertoires]


@workload("basic, Redis", REDIS_CACHE=True)
@workload("basic, L1", MEASURE="L1", USE_SMALL_PHI_DIFFERENCE_FOR_CES_DISTANCE=True)
@workload("basic, all partitions", PARTITION_TYPE="ALL")
@workload("basic, tripartitions", PARTITION_TYPE="TRI")
@workload("basic, no purviews cached", CACHE_POTENTIAL_PURVIEWS=False)
@workload("basic, no repertoires cached", CACHE_REPERTOIRES=False)
@workload("basic, cleared", CLEAR_SUBSYSTEM_CACHES_AFTER_COMPUTING_SIA=True)
@workload("basic")
def basic(pyphi):
    return of_system(pyphi.compute.sia(pyphi.examples.basic_subsystem()))


@workload("basic, concept-style cuts, Redis", SYSTEM_CUTS="CONCEPT_STYLE", REDIS_CACHE=True)
@workload("basic, concept-style cuts", SYSTEM_CUTS="CONCEPT_STYLE")
def concept_style(pyphi):
    analysis = pyphi.compute.sia(pyphi.examples.basic_subsystem())
    return [of_system(analysis.sia_cause), of_system(analysis.sia_effect)]


@workload("basic, noisy")
def noisy(pyphi):
    return of_system(pyphi.compute.sia(pyphi.examples.basic_noisy_selfloop_subsystem()))


@workload("basic, given purviews")
def given_purviews(pyphi):
    subsystem = pyphi.examples.basic_subsystem()
    asked = {}, dict(purviews=((0,), (1, 2))), dict(cause_purviews=((0, 1),)), dict(purviews=((1, 2), (0,)))
    return [of_concepts([subsystem.concept(mechanism, **purviews)])
            for mechanism in ((0,), (1,), (0, 1), (0, 1, 2)) for purviews in asked * 2]


@workload("xor, Redis", REDIS_CACHE=True)
@workload("xor")
def xor(pyphi):
    return of_system(pyphi.compute.sia(pyphi.examples.xor_subsystem()))


@workload("fig4, Redis", REDIS_CACHE=True)
@workload("fig4")
def fig4(pyphi):
    return of_system(pyphi.compute.major_complex(pyphi.examples.fig4(), (1, 0, 0)))


@workload("rule110, complexes")
def rule110(pyphi):
    return [of_system(found) for found in pyphi.compute.all_complexes(pyphi.examples.rule110_network(), (0, 0, 0))]


@workload("residue")
def residue(pyphi):
    return of_concepts(pyphi.compute.ces(pyphi.examples.residue_subsystem()))


@workload("micro of macro")
def micro(pyphi):
    return of_system(pyphi.compute.sia(pyphi.examples.macro_subsystem()))


@workload("macro, coarse-grained")
def coarse(pyphi):
    grain = pyphi.macro.CoarseGrain(((0, 1), (2, 3)), (((0, 1), (2,)), ((0, 1), (2,))))
    network = pyphi.examples.macro_network()
    return of_system(pyphi.compute.sia(
        pyphi.macro.MacroSubsystem(network, (0, 0, 0, 0), network.node_indices, coarse_grain=grain)))


@workload("blackbox, micro, Redis", REDIS_CACHE=True)
@workload("blackbox, micro")
def blackbox_micro(pyphi):
    return of_system(pyphi.compute.sia(pyphi.Subsystem(pyphi.examples.blackbox_network(), (0,) * 6)))


@workload("blackbox over two steps")
def blackbox(pyphi):
    network, boxes = pyphi.examples.blackbox_network(), pyphi.macro.Blackbox(((0, 1, 2), (3, 4, 5)), (2, 5))
    return of_system(pyphi.compute.sia(
        pyphi.macro.MacroSubsystem(network, (0,) * 6, network.node_indices, time_scale=2, blackbox=boxes)))


@workload("actual causation")
def actual(pyphi):
    examples = pyphi.examples
    copies = pyphi.Transition(examples.actual_causation(), (1, 0), (1, 0), (0, 1), (0, 1))
    gates = pyphi.Transition(examples.disjunction_conjunction_network(), (1, 0, 1, 0), (0, 0, 0, 1), (0, 1, 2), (3,))
    return [[[link.mechanism, link.purview, link.alpha] for link in pyphi.actual.account(transition)]
            + [pyphi.actual.sia(transition).alpha] for transition in (copies, gates, examples.prevention())]


@workload("no complex")
def no_complex(pyphi):
    return pyphi.compute.major_complex(pyphi.examples.residue_network(), (0, 0, 0, 0, 0)).phi


@workload("a parent that is cut, Redis", REDIS_CACHE=True)
@workload("a parent that is cut")
def cut_parent(pyphi):
    """No system can inherit from one that is cut; PyPhi throws a ValueError."""
    cut = pyphi.models.Cut((0,), (1, 2))
    parent = pyphi.examples.basic_subsystem().apply_cut(cut)
    try:
        parent.apply_cut(cut)
    except ValueError as error:
        return [type(error).__name__, *of_concepts(pyphi.compute.ces(parent))]


@workload("rule154, five nodes")
def rule154(pyphi):
    return of_system(pyphi.compute.sia(pyphi.Subsystem(pyphi.examples.rule154_network(), (1, 0, 0, 0, 0))))


# The short form: dict caches, MICE caches with children, other cuts, and Redis.
SHORT = "basic", "basic, concept-style cuts", "xor, Redis"
