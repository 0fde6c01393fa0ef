using Fewbit.Graphs;

namespace Fewbit.Targets;

/// <summary>A rule of a target that a written model breaks.</summary>
/// <param name="Rule">Name of the rule.</param>
/// <param name="Node">The node, as messages name it.</param>
/// <param name="Found">What is there and what was expected.</param>
public sealed record TargetViolation(string Rule, string Node, string Found)
{
    /// <summary>The form of lists.</summary>
    public override string ToString() => $"{Node}: {Found} (rule {Rule})";
}

/// <summary>A written model against the rules of its target.</summary>
/// <param name="Target">Name of the target.</param>
/// <param name="Rules">What was checked, by rule name.</param>
/// <param name="Violations">What is broken: expected nothing.</param>
public sealed record TargetCheck(string Target, IReadOnlyDictionary<string, string> Rules, IReadOnlyList<TargetViolation> Violations)
{
    /// <summary>Checks a model against every rule of a target and, where one is named, against what a release of ONNX Runtime loads.</summary>
    public static TargetCheck Of(Graph model, ExportTarget target, RuntimeVersion? runtime = null)
    {
        IReadOnlyList<TargetRule> rules = target.Rules;
        List<TargetViolation> violations = [.. rules.SelectMany(rule => rule.Find(model).Select(found => new TargetViolation(rule.Name, found.Node.ToString(), found.Text)))];
        if (target.IsOnnxRuntime && (runtime ?? RuntimeVersion.Newest).WhyNot(model) is { } reason) violations.Add(new("runtime", "the model", reason));
        return new(target.Name, rules.ToDictionary(rule => rule.Name, rule => rule.Statement, StringComparer.Ordinal), violations);
    }
}
