using Fewbit.Reconstruction;
using static Fewbit.Tests.Reconstruction.SmallNetwork;

namespace Fewbit.Tests.Reconstruction;

public sealed class StepBudgetTests
{
    private static readonly ReconstructionUnit[] s_units = [.. new[] { "a", "b", "c" }.Select(name => new ReconstructionUnit(name, [], [], [], []))];
    private static readonly ReconstructionPass s_first = new() { Name = "first", Iterations = 1000, Input = new FullPrecisionInput() }, s_second = s_first with { Name = "second", Iterations = 500 };

    private static StepBudget Create(IReadOnlyDictionary<string, int>? pinned = null)
    {
        var budget = new StepBudget(new() { Passes = [s_first, s_second], TimeBudget = TimeSpan.FromHours(1), StepsByUnit = pinned }, [s_units, s_units[1..]]);
        budget.Time(new Dictionary<ReconstructionUnit, double> { [s_units[0]] = 0.030, [s_units[1]] = 0.010, [s_units[2]] = 0.002 });
        return budget;
    }

    [Fact]
    public void StepsOf_UnitsOfDifferentCost_TakeTheSameShare()
    {
        // All steps need 30 + 10 + 2 + 5 + 1 seconds.
        StepBudget budget = Create();
        double left = 12;
        for (int unit = 0; unit < 3; unit++)
        {
            int steps = budget.StepsOf(0, unit, TimeSpan.FromSeconds(left));
            Assert.InRange(steps, 249, 250);
            left -= steps * new[] { 0.030, 0.010, 0.002 }[unit];
        }
        Assert.InRange(budget.StepsOf(1, 0, TimeSpan.FromSeconds(left)), 124, 126);
    }

    [Fact]
    public void StepsOf_MoreTimeThanIsNeededOrNone_IsWhatIsAskedForOrOneStep()
    {
        Assert.Equal(1000, Create().StepsOf(0, 0, TimeSpan.FromHours(1)));
        Assert.Equal(1000, Create().StepsOf(0, 0, null));
        Assert.Equal(1, Create().StepsOf(0, 0, TimeSpan.FromSeconds(-1)));
    }

    [Fact]
    public void StepsOf_PinnedUnits_TakeTheirStepsAndLeaveTheRestToTheOthers()
    {
        StepBudget budget = Create(new Dictionary<string, int> { ["first/a"] = 100, ["second/c"] = 7 });
        Assert.Equal(100, budget.StepsOf(0, 0, TimeSpan.FromSeconds(1)));
        Assert.Equal(7, budget.StepsOf(1, 1, TimeSpan.FromSeconds(1)));
        // 3 seconds and 14 milliseconds go to the pinned units, the others ask for 17.
        Assert.InRange(budget.StepsOf(0, 1, TimeSpan.FromSeconds(8.5 + 0.014)), 499, 500);
    }

    [Fact]
    public void Run_StepsOfARunWithABudget_GiveItsCodesAgain()
    {
        ReconstructionMethod method = Small(ReconstructionMethod.Brecq(5000));
        Reconstructor limited = Done(method, 2, 4, new() { TimeBudget = TimeSpan.FromMilliseconds(400) });
        Assert.All(limited.Reports, report => Assert.InRange(report.Iterations, 1, 4999));
        var steps = limited.Reports.ToDictionary(report => report.Key, report => report.Iterations);
        Reconstructor repeated = Done(method, 2, 4, new() { StepsByUnit = steps });
        Assert.Equal(steps, repeated.Reports.ToDictionary(report => report.Key, report => report.Iterations));
        Assert.Equal(Codes(limited), Codes(repeated));
        Assert.Equal(Steps(limited), Steps(repeated));
    }

    [Fact]
    public void Run_StepsOfAUnitThatDoesNotLearn_IsAnErrorWithTheClosestName()
    {
        Reconstructor reconstructor = Reconstructor(Small(ReconstructionMethod.Brecq(5)));
        string name = UnitReport.KeyOf("weights", reconstructor.Units.Last(unit => unit.Layers.Count > 0).Name);
        Reconstructor other = Reconstructor(Small(ReconstructionMethod.Brecq(5)), limits: new() { StepsByUnit = new Dictionary<string, int> { [name + "x"] = 3 } });
        string message = Assert.Throws<ArgumentException>(() => other.Run(Inputs())).Message;
        Assert.Contains($"steps are given for '{name}x'", message, StringComparison.Ordinal);
        Assert.Contains($"did you mean '{name}'?", message, StringComparison.Ordinal);
    }
}
