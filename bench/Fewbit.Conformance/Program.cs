using Fewbit.Testing;
using Fewbit.Testing.Conformance;

// conformance [part of a test's name or an operator's name] [--all] [--page FILE]
int page = Array.IndexOf(args, "--page");
string filter = args.Where((arg, i) => !arg.StartsWith('-') && (page < 0 || i != page + 1)).FirstOrDefault() ?? "";
bool listsAll = args.Contains("--all");
if (page >= 0 && page + 1 == args.Length)
{
    Console.Error.WriteLine("--page names no file");
    return 2;
}
if (Oracles.DataRoot is null || !Directory.Exists(Oracles.Data(BackendTest.Suite)))
{
    Console.Error.WriteLine($"no tests: set FEWBIT_DATA to a folder that holds {BackendTest.Suite}");
    return 2;
}
SuiteResults results = SuiteResults.Current;
if (page >= 0) File.WriteAllText(args[page + 1], ConformancePage.Write(results));

bool IsChosen(BackendResult result) => result.Name.Contains(filter, StringComparison.OrdinalIgnoreCase) || result.Operators.Contains(filter, StringComparer.OrdinalIgnoreCase);
BackendResult[] chosen = [.. results.All.Where(IsChosen)];
foreach (BackendResult result in chosen)
{
    bool isWrong = results.IsCovered(result) && result.Outcome != Outcome.Passed;
    if (isWrong || (listsAll && result.Outcome != Outcome.Passed)) Console.WriteLine($"{result.Outcome,-11} {result.Group,-11} {result.Name}: {result.Reason}");
}
Console.WriteLine($"{"group",-12} {"passed",7} {"failed",7} {"unsupported",12}");
foreach (var group in chosen.GroupBy(result => result.Group).OrderBy(group => group.Key))
{
    int Count(Outcome outcome) => group.Count(result => result.Outcome == outcome);
    Console.WriteLine($"{group.Key,-12} {Count(Outcome.Passed),7} {Count(Outcome.Failed),7} {Count(Outcome.Unsupported),12}");
}
return results.All.Any(result => results.IsCovered(result) && result.Outcome != Outcome.Passed) ? 1 : 0;
