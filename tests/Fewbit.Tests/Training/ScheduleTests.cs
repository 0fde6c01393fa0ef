using Fewbit.Training;

namespace Fewbit.Tests.Training;

public class ScheduleTests
{
    private const double Tolerance = 1e-12;

    public static TheoryData<LearningRateSchedule, long, double> Factors => new()
    {
        { new ConstantSchedule(), 77, 1 },
        { new StepSchedule { Every = 3, Gamma = 0.5 }, 29, 1 }, // epoch 2 of 10 steps each
        { new StepSchedule { Every = 3, Gamma = 0.5 }, 30, 0.5 },
        { new StepSchedule { Every = 3, Gamma = 0.5, Unit = ScheduleUnit.Step }, 7, 0.25 },
        { new MultiStepSchedule { Milestones = [2, 5] }, 49, 0.1 },
        { new MultiStepSchedule { Milestones = [2, 5] }, 50, 0.01 },
        { new CosineSchedule(), 0, 1 },
        { new CosineSchedule(), 50, 0.5 },
        { new CosineSchedule { End = 0.2 }, 100, 0.2 },
        { new CosineSchedule { Unit = ScheduleUnit.Epoch }, 59, 0.5 }, // epoch 5 of 10
        { new LinearSchedule(), 25, 0.75 },
        { new LinearSchedule { End = 0.5 }, 100, 0.5 },
        { new CosineSchedule { WarmUpSteps = 20, WarmUpStart = 0 }, 5, 0.25 },
        { new CosineSchedule { WarmUpSteps = 20, WarmUpStart = 0 }, 20, 1 },
        { new CosineSchedule { WarmUpSteps = 20 }, 60, 0.5 },
        { new OneCycleSchedule(), 0, 0.04 },
        { new OneCycleSchedule(), 29, 1 },
        { new OneCycleSchedule(), 99, 4e-6 },
    };

    [Theory]
    [MemberData(nameof(Factors))]
    public void Factor_OfTenEpochsOfTenSteps(LearningRateSchedule schedule, long step, double expected) =>
        Assert.Equal(expected, schedule.Factor(new(step, StepsPerEpoch: 10, TotalSteps: 100)), Tolerance);

    [Fact]
    public void Plateau_FallsAfterPatience_AndRestsDuringCooldown()
    {
        var schedule = new PlateauSchedule { Gamma = 0.5, Patience = 1, Cooldown = 2, End = 0.3 };
        var state = new PlateauState();
        double[] losses = [1, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6];
        double[] expected = [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3];
        for (int i = 0; i < losses.Length; i++)
        {
            state = state.After(losses[i], isHigherBetter: false, schedule);
            Assert.Equal(expected[i], state.Factor, Tolerance);
        }
    }

    [Fact]
    public void Plateau_HigherIsBetter_CountsSmallGainsAsNone()
    {
        var schedule = new PlateauSchedule { Patience = 0, Threshold = 0.01 };
        PlateauState state = new PlateauState().After(0.8, isHigherBetter: true, schedule);
        Assert.Equal(1, state.After(0.81, isHigherBetter: true, schedule).Factor);
        Assert.Equal(0.1, state.After(0.805, isHigherBetter: true, schedule).Factor);
    }
}
