namespace Fewbit.Testing.Conformance;

/// <summary>The results of the whole suite, and what counts as covered.</summary>
public sealed class SuiteResults
{
    private static readonly Lazy<SuiteResults> Shared = new(() => new(BackendTest.All().Select(test => test.Run())));
    private readonly Dictionary<string, BackendResult> _byName;

    /// <summary>Counts some results.</summary>
    public SuiteResults(IEnumerable<BackendResult> results)
    {
        All = [.. results];
        _byName = All.ToDictionary(result => result.Name, StringComparer.Ordinal);
        CoveredOperators = All.Where(result => result is { Group: Group.InScope, Outcome: Outcome.Passed }).SelectMany(result => result.Operators).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>The results under the data root, computed once a process.</summary>
    public static SuiteResults Current => Shared.Value;

    /// <summary>Every result, in the order of names.</summary>
    public IReadOnlyList<BackendResult> All { get; }

    /// <summary>Operators of which a test in scope passes.</summary>
    public IReadOnlySet<string> CoveredOperators { get; }

    /// <summary>The result of a test.</summary>
    public BackendResult this[string name] => _byName[name];

    /// <summary>The results of a group.</summary>
    public IEnumerable<BackendResult> Of(Group group) => All.Where(result => result.Group == group);

    /// <summary>True where every operator of a test in scope is covered: it has to pass.</summary>
    public bool IsCovered(BackendResult result) => result.Group == Group.InScope && result.Operators.All(CoveredOperators.Contains);
}
