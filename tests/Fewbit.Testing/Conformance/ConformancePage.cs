using System.Globalization;
using System.Text;

namespace Fewbit.Testing.Conformance;

/// <summary>The page that says which tests of the ONNX backend suite pass, by group and by operator.</summary>
public static class ConformancePage
{
    /// <summary>The page in Markdown.</summary>
    public static string Write(SuiteResults results)
    {
        var page = new StringBuilder();
        page.Append("""
            # ONNX conformance
            Made by `dotnet run -c Release --project bench/Fewbit.Conformance -- --page docs/conformance.md` on the ONNX backend tests under `FEWBIT_DATA`.

            Each test runs in the interpreter, in a plan, in a plan of the graph that the passes prepared, and in a plan whose inputs but the first are constants. Integers, bool and floats of 8 or fewer bits must be equal,
            other floats within |a - b| <= 1e-7 + 1e-3 |a|, as the runner of the suite does. In scope are tests of opset 7 to 26; left out are text, sequences and optional values, image files, training and random numbers.
            An operator is covered when a test in scope that uses it passes; a test is covered when all its operators are.

            ## Totals

            """.ReplaceLineEndings("\n"));
        Totals(page, results);
        ByOperator(page, results);
        Unpassed(page, results);
        return page.ToString();
    }

    private static void Totals(StringBuilder page, SuiteResults results)
    {
        page.Append("| group | tests | passed | failed | operator not supported | share |\n|---|---|---|---|---|---|\n");
        Row(page, "in scope (opset 7 to 26)", results.Of(Group.InScope));
        Row(page, "in scope and covered", results.All.Where(results.IsCovered));
        Row(page, "older (opset 1 to 6)", results.Of(Group.Older));
        Row(page, "newer (opset 27 and later)", results.Of(Group.Newer));
        Row(page, "other domains alone", results.Of(Group.OtherDomain));
        Row(page, "left out", results.Of(Group.LeftOut));
        Row(page, "all", results.All);
    }

    private static void Row(StringBuilder page, string name, IEnumerable<BackendResult> some)
    {
        BackendResult[] tests = [.. some];
        int passed = Count(tests, Outcome.Passed);
        string share = tests.Length == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{100.0 * passed / tests.Length:0.0} %");
        page.Append(CultureInfo.InvariantCulture, $"| {name} | {tests.Length} | {passed} | {Count(tests, Outcome.Failed)} | {Count(tests, Outcome.Unsupported)} | {share} |\n");
    }

    private static void ByOperator(StringBuilder page, SuiteResults results)
    {
        page.Append("\n## By operator\nTests in scope that use the operator, as the tested one or inside of a function or subgraph.\n\n| operator | passed | failed | not supported | |\n|---|---|---|---|---|\n");
        var tests = results.Of(Group.InScope).SelectMany(result => result.Operators.Select(name => (name, result))).ToLookup(pair => pair.name, pair => pair.result);
        foreach (var group in tests.OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            BackendResult[] used = [.. group];
            string remark = results.CoveredOperators.Contains(group.Key) ? "" : $"not covered: {used[0].Reason}";
            page.Append(CultureInfo.InvariantCulture, $"| {group.Key} | {Count(used, Outcome.Passed)} | {Count(used, Outcome.Failed)} | {Count(used, Outcome.Unsupported)} | {Cell(remark)} |\n");
        }
    }

    private static void Unpassed(StringBuilder page, SuiteResults results)
    {
        page.Append("\n## Tests that do not pass\n| test | group | |\n|---|---|---|\n");
        foreach (BackendResult result in results.All.Where(result => result.Outcome != Outcome.Passed).OrderBy(result => result.Group))
            page.Append(CultureInfo.InvariantCulture, $"| {result.Name} | {Words(result.Group)} | {Cell(result.Reason)} |\n");
    }

    private static int Count(BackendResult[] tests, Outcome outcome) => tests.Count(test => test.Outcome == outcome);

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal).ReplaceLineEndings(" ");

    private static string Words(Group group) => group switch
    {
        Group.InScope => "in scope",
        Group.LeftOut => "left out",
        Group.Older => "older",
        Group.Newer => "newer",
        _ => "other domain",
    };
}
