using Fewbit.Testing;
using Fewbit.Testing.Conformance;

// conformance [part of a test's name or an operator's name] [--all]
string filter = args.FirstOrDefault(arg => !arg.StartsWith('-')) ?? "";
bool listsAll = args.Contains("--all");
if (Oracles.DataRoot is null)
{
    Console.Error.WriteLine("no data: set FEWBIT_DATA to the folder of the data");
    return 2;
}
var counts = new SortedDictionary<string, int[]>(StringComparer.Ordinal);
int[] totals = new int[4];
foreach (BackendTest test in BackendTest.All())
{
    BackendResult result = test.Run();
    if (!test.Name.Contains(filter, StringComparison.OrdinalIgnoreCase) && !result.Operators.Contains(filter, StringComparer.OrdinalIgnoreCase)) continue;
    totals[(int)result.Outcome]++;
    foreach (string name in result.Operators)
    {
        if (!counts.TryGetValue(name, out int[]? row)) counts.Add(name, row = new int[4]);
        row[(int)result.Outcome]++;
    }
    if (result.Outcome == Outcome.Failed || (listsAll && result.Outcome != Outcome.Passed)) Console.WriteLine($"{result.Outcome,-11} {test.Name}: {result.Reason}");
}
Console.WriteLine($"{"operator",-28} {"passed",7} {"failed",7} {"unsupported",12} {"out of scope",13}");
foreach ((string name, int[] row) in counts.Append(new("all tests", totals))) Console.WriteLine($"{name,-28} {row[0],7} {row[1],7} {row[2],12} {row[3],13}");
return totals[(int)Outcome.Failed] == 0 ? 0 : 1;
